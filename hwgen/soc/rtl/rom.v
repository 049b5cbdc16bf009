// Read-only memory, registered read; its words stand in a file of hexadecimal numbers.
module cosilico_rom #(
    parameter DEPTH = 1024,
    parameter ADDRESS_BITS = 10
) (
    input clk,
    input read_enable,
    input [ADDRESS_BITS-1:0] read_address,
    output reg [31:0] read_data
);
  reg [31:0] memory[0:DEPTH-1];

  initial $readmemh("firmware.hex", memory);

  always @(posedge clk) begin
    if (read_enable) read_data <= memory[read_address];
  end
endmodule
