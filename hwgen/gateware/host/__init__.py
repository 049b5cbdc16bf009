"""Units that a host sees and steers: registers, the life of a program, its descriptors and queues."""
