// The host's side of the AXI4-Lite port: accesses that a test asks for, each in as few cycles as the
// accelerator allows. An access begins in the cycle in which `request` differs from `answered`; a test
// that asks for the next when it sees the answer loses no cycle between them.
module host_port #(
    parameter ADDRESS_BITS = 8,
    parameter DOORBELL_OFFSET = 8
) (
    input clk,
    input [31:0] request,                // number of the access that is asked for
    input writes,                        // whether it is a write
    input [ADDRESS_BITS-1:0] offset,
    input [31:0] data,
    output reg [31:0] answered,          // number of the last access that is over
    output reg [31:0] result,            // what it read
    input ready,                         // whether the answer may be taken in this cycle
    output busy,                         // an access is under way in this cycle
    output doorbell,                     // the doorbell's write begins in this cycle
    output s_axil_awvalid,
    input s_axil_awready,
    output [ADDRESS_BITS-1:0] s_axil_awaddr,
    output s_axil_wvalid,
    input s_axil_wready,
    output [31:0] s_axil_wdata,
    input s_axil_bvalid,
    output s_axil_bready,
    output s_axil_arvalid,
    input s_axil_arready,
    output [ADDRESS_BITS-1:0] s_axil_araddr,
    input s_axil_rvalid,
    output s_axil_rready,
    input [31:0] s_axil_rdata
);
  reg begun, address_taken, data_taken;
  initial begin
    answered = 0;
    result = 0;
    begun = 0;
    address_taken = 0;
    data_taken = 0;
  end

  assign busy = request != answered;
  assign doorbell = busy && writes && !begun && offset == DOORBELL_OFFSET && data[0];
  assign s_axil_awaddr = offset;
  assign s_axil_araddr = offset;
  assign s_axil_wdata = data;
  assign s_axil_awvalid = busy && writes && !address_taken;
  assign s_axil_wvalid = busy && writes && !data_taken;
  assign s_axil_bready = busy && writes && ready;
  assign s_axil_arvalid = busy && !writes && !address_taken;
  assign s_axil_rready = busy && !writes && ready;

  always @(posedge clk)
    if (busy) begin
      begun <= 1;
      if ((s_axil_awvalid && s_axil_awready) || (s_axil_arvalid && s_axil_arready))
        address_taken <= 1;
      if (s_axil_wvalid && s_axil_wready) data_taken <= 1;
      if ((s_axil_bvalid && s_axil_bready) || (s_axil_rvalid && s_axil_rready)) begin
        if (!writes) result <= s_axil_rdata;
        answered <= request;
        begun <= 0;
        address_taken <= 0;
        data_taken <= 0;
      end
    end
endmodule
