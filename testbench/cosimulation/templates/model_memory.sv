// External memory behind both AXI4 ports: the harness's C++ model (axi_memory.h), called once a
// cycle. Its ports are those of fast_memory.sv; memory.txt says how it behaves.
module model_memory #(
    parameter BYTES = 4,              // of a beat of m_axi
    parameter DESCRIPTOR_BYTES = 8,   // of a beat of m_axi_desc
    parameter SIZE_BYTES = 1 << 24
) (
    input clk,
    input rst,
    input [31:0] base,                // not used: memory.txt says it
    input [31:0] latency,             // likewise
    input host_busy,
    input doorbell,
    input busy,                       // a program runs
    output reg host_ready,
    input [31:0] backdoor_request,
    input backdoor_writes,
    input [31:0] backdoor_address,    // relative to base
    input [31:0] backdoor_bytes,
    output reg [31:0] backdoor_answered,
    input m_axi_arvalid,
    output reg m_axi_arready,
    input [31:0] m_axi_araddr,
    input [7:0] m_axi_arlen,
    output reg m_axi_rvalid,
    input m_axi_rready,
    output reg [8*BYTES-1:0] m_axi_rdata,
    output reg m_axi_rlast,
    output reg [1:0] m_axi_rresp,
    input m_axi_awvalid,
    output reg m_axi_awready,
    input [31:0] m_axi_awaddr,
    input [7:0] m_axi_awlen,
    input m_axi_wvalid,
    output reg m_axi_wready,
    input [8*BYTES-1:0] m_axi_wdata,
    input [BYTES-1:0] m_axi_wstrb,
    input m_axi_wlast,
    output reg m_axi_bvalid,
    input m_axi_bready,
    output reg [1:0] m_axi_bresp,
    input m_axi_desc_arvalid,
    output reg m_axi_desc_arready,
    input [31:0] m_axi_desc_araddr,
    input [7:0] m_axi_desc_arlen,
    output reg m_axi_desc_rvalid,
    input m_axi_desc_rready,
    output reg [8*DESCRIPTOR_BYTES-1:0] m_axi_desc_rdata,
    output reg m_axi_desc_rlast,
    output reg [1:0] m_axi_desc_rresp
);
  import "DPI-C" context function void model_memory_begin();
  import "DPI-C" context function void model_memory_observe(
      input bit reset, input bit doorbell, input bit busy, input bit host_busy,
      input bit m_axi_arvalid,
      input bit [31:0] m_axi_araddr,
      input bit [7:0] m_axi_arlen,
      input bit m_axi_rready,
      input bit m_axi_awvalid,
      input bit [31:0] m_axi_awaddr,
      input bit [7:0] m_axi_awlen,
      input bit m_axi_wvalid,
      input bit [8*BYTES-1:0] m_axi_wdata,
      input bit [BYTES-1:0] m_axi_wstrb,
      input bit m_axi_wlast,
      input bit m_axi_bready,
      input bit m_axi_desc_arvalid,
      input bit [31:0] m_axi_desc_araddr,
      input bit [7:0] m_axi_desc_arlen,
      input bit m_axi_desc_rready);
  import "DPI-C" context function void model_memory_drive(
      output bit host_ready,
      output bit m_axi_arready,
      output bit m_axi_rvalid,
      output bit [8*BYTES-1:0] m_axi_rdata,
      output bit m_axi_rlast,
      output bit [1:0] m_axi_rresp,
      output bit m_axi_awready,
      output bit m_axi_wready,
      output bit m_axi_bvalid,
      output bit [1:0] m_axi_bresp,
      output bit m_axi_desc_arready,
      output bit m_axi_desc_rvalid,
      output bit [8*DESCRIPTOR_BYTES-1:0] m_axi_desc_rdata,
      output bit m_axi_desc_rlast,
      output bit [1:0] m_axi_desc_rresp);
  import "DPI-C" context function void model_memory_load(input int address, input int bytes);
  import "DPI-C" context function void model_memory_store(input int address, input int bytes);

  bit next_host_ready;
  bit next_m_axi_arready;
  bit next_m_axi_rvalid;
  bit [8*BYTES-1:0] next_m_axi_rdata;
  bit next_m_axi_rlast;
  bit [1:0] next_m_axi_rresp;
  bit next_m_axi_awready;
  bit next_m_axi_wready;
  bit next_m_axi_bvalid;
  bit [1:0] next_m_axi_bresp;
  bit next_m_axi_desc_arready;
  bit next_m_axi_desc_rvalid;
  bit [8*DESCRIPTOR_BYTES-1:0] next_m_axi_desc_rdata;
  bit next_m_axi_desc_rlast;
  bit [1:0] next_m_axi_desc_rresp;

  task drive;
    begin
      model_memory_drive(next_host_ready, next_m_axi_arready, next_m_axi_rvalid,
        next_m_axi_rdata, next_m_axi_rlast, next_m_axi_rresp, next_m_axi_awready,
        next_m_axi_wready, next_m_axi_bvalid, next_m_axi_bresp, next_m_axi_desc_arready,
        next_m_axi_desc_rvalid, next_m_axi_desc_rdata, next_m_axi_desc_rlast,
        next_m_axi_desc_rresp);
      host_ready <= next_host_ready;
      m_axi_arready <= next_m_axi_arready;
      m_axi_rvalid <= next_m_axi_rvalid;
      m_axi_rdata <= next_m_axi_rdata;
      m_axi_rlast <= next_m_axi_rlast;
      m_axi_rresp <= next_m_axi_rresp;
      m_axi_awready <= next_m_axi_awready;
      m_axi_wready <= next_m_axi_wready;
      m_axi_bvalid <= next_m_axi_bvalid;
      m_axi_bresp <= next_m_axi_bresp;
      m_axi_desc_arready <= next_m_axi_desc_arready;
      m_axi_desc_rvalid <= next_m_axi_desc_rvalid;
      m_axi_desc_rdata <= next_m_axi_desc_rdata;
      m_axi_desc_rlast <= next_m_axi_desc_rlast;
      m_axi_desc_rresp <= next_m_axi_desc_rresp;
    end
  endtask

  initial begin
    backdoor_answered = 0;
    model_memory_begin();
    drive;
  end

  always @(posedge clk) begin
    model_memory_observe(rst, doorbell, busy, host_busy,
        m_axi_arvalid, m_axi_araddr, m_axi_arlen, m_axi_rready, m_axi_awvalid, m_axi_awaddr,
        m_axi_awlen, m_axi_wvalid, m_axi_wdata, m_axi_wstrb, m_axi_wlast, m_axi_bready,
        m_axi_desc_arvalid, m_axi_desc_araddr, m_axi_desc_arlen, m_axi_desc_rready);
    drive;
  end

  always @(backdoor_request)
    if (backdoor_request != backdoor_answered) begin
      if (backdoor_writes) model_memory_load(backdoor_address, backdoor_bytes);
      else model_memory_store(backdoor_address, backdoor_bytes);
      backdoor_answered = backdoor_request;
    end
endmodule
