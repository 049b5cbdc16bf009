// Memory with one port that writes bytes of a row or reads a row, registered.
module cosilico_byte_ram #(
    parameter BYTES = 8,
    parameter DEPTH = 512,
    parameter ADDRESS_BITS = 9
) (
    input clk,
    input enable,
    input [ADDRESS_BITS-1:0] address,
    input [BYTES-1:0] mask,
    input [8*BYTES-1:0] write_data,
    output reg [8*BYTES-1:0] read_data
);
  reg [8*BYTES-1:0] memory[0:DEPTH-1];
  integer i;

  always @(posedge clk) begin
    if (enable) begin
      for (i = 0; i < BYTES; i = i + 1)
        if (mask[i]) memory[address][8*i+:8] <= write_data[8*i+:8];
      if (!(|mask)) read_data <= memory[address];
    end
  end
endmodule
