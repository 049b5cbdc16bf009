// Single-port memory, registered read. Replace by a memory macro of the target process.
module cosilico_single_port_ram #(
    parameter WIDTH = 8,
    parameter DEPTH = 16,
    parameter ADDRESS_BITS = 4
) (
    input clk,
    input enable,
    input write,
    input [ADDRESS_BITS-1:0] address,
    input [WIDTH-1:0] write_data,
    output reg [WIDTH-1:0] read_data
);
  reg [WIDTH-1:0] memory[0:DEPTH-1];

  always @(posedge clk)
    if (enable) begin
      if (write) memory[address] <= write_data;
      else read_data <= memory[address];
    end
endmodule
