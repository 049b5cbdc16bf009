// External memory behind both AXI4 ports, with a fixed latency and no limit.
//
// The first beat of a read burst comes `latency` cycles after its address was taken, or in the cycle
// after the last beat of the burst before it on its port, whichever is later; then a beat in every
// cycle. A write burst is answered `latency` cycles after its last beat. READY of AR, AW and W is
// always high. What is driven in a cycle depends on earlier cycles alone. A reset forgets all that is
// under way.
//
// The backdoor moves whole files: it reads backdoor.in into the memory, or writes backdoor.out.
module fast_memory #(
    parameter BYTES = 4,              // of a beat of m_axi
    parameter DESCRIPTOR_BYTES = 8,   // of a beat of m_axi_desc
    parameter SIZE_BYTES = 1 << 24
) (
    input clk,
    input rst,
    input [31:0] base,                // address of the first byte
    input [31:0] latency,
    input host_busy,                  // not used: this memory lets the host take every answer
    input doorbell,                   // not used, nor is busy: nothing depends on when a run begins
    input busy,
    output host_ready,
    input [31:0] backdoor_request,
    input backdoor_writes,
    input [31:0] backdoor_address,    // relative to base
    input [31:0] backdoor_bytes,
    output reg [31:0] backdoor_answered,
    input m_axi_arvalid,
    output m_axi_arready,
    input [31:0] m_axi_araddr,
    input [7:0] m_axi_arlen,
    output reg m_axi_rvalid,
    input m_axi_rready,
    output reg [8*BYTES-1:0] m_axi_rdata,
    output reg m_axi_rlast,
    output reg [1:0] m_axi_rresp,
    input m_axi_awvalid,
    output m_axi_awready,
    input [31:0] m_axi_awaddr,
    input [7:0] m_axi_awlen,
    input m_axi_wvalid,
    output m_axi_wready,
    input [8*BYTES-1:0] m_axi_wdata,
    input [BYTES-1:0] m_axi_wstrb,
    input m_axi_wlast,
    output reg m_axi_bvalid,
    input m_axi_bready,
    output reg [1:0] m_axi_bresp,
    input m_axi_desc_arvalid,
    output m_axi_desc_arready,
    input [31:0] m_axi_desc_araddr,
    input [7:0] m_axi_desc_arlen,
    output reg m_axi_desc_rvalid,
    input m_axi_desc_rready,
    output reg [8*DESCRIPTOR_BYTES-1:0] m_axi_desc_rdata,
    output reg m_axi_desc_rlast,
    output reg [1:0] m_axi_desc_rresp
);
  localparam SLOTS = 16;        // more bursts than a port of the accelerator has under way
  localparam RESPONSES = 256;   // likewise write bursts without a response
  localparam [1:0] OKAY = 0, DECERR = 3;

  bit [7:0] bytes [0:SIZE_BYTES-1];
  reg [63:0] cycle;

  assign host_ready = 1;
  assign {m_axi_arready, m_axi_awready, m_axi_wready, m_axi_desc_arready} = 4'b1111;

  // Reads: bursts of each port in rings, oldest first
  reg [31:0] read_address[0:SLOTS-1], descriptor_address[0:SLOTS-1];
  reg [7:0] read_length[0:SLOTS-1], descriptor_length[0:SLOTS-1];
  reg [63:0] read_due[0:SLOTS-1], descriptor_due[0:SLOTS-1];
  reg [3:0] read_oldest, read_newest, descriptor_oldest, descriptor_newest;
  reg [7:0] read_position, descriptor_position;
  reg [31:0] read_place, descriptor_place;

  // Writes: bursts whose data is not complete, and responses
  reg [31:0] write_address[0:SLOTS-1];
  reg [3:0] write_oldest, write_newest;
  reg [31:0] write_place;
  reg [31:0] write_done;         // bytes of the oldest burst
  reg write_outside;
  reg [63:0] response_due[0:RESPONSES-1];
  reg [1:0] response_kind[0:RESPONSES-1];
  reg [7:0] response_oldest, response_newest;

  integer i;

  task forget;
    begin
      read_oldest = 0; read_newest = 0; read_position = 0;
      descriptor_oldest = 0; descriptor_newest = 0; descriptor_position = 0;
      write_oldest = 0; write_newest = 0; write_done = 0; write_outside = 0;
      response_oldest = 0; response_newest = 0;
    end
  endtask

  initial begin
    cycle = 0;
    backdoor_answered = 0;
    {m_axi_rvalid, m_axi_bvalid, m_axi_desc_rvalid} = 0;
    forget;
  end

  always @(posedge clk) begin
    cycle <= cycle + 1;
    if (rst) begin
      forget;
      {m_axi_rvalid, m_axi_bvalid, m_axi_desc_rvalid} <= 0;
    end else begin
      // m_axi, reads
      if (m_axi_arvalid) begin
        read_address[read_newest] = m_axi_araddr - base;
        read_length[read_newest] = m_axi_arlen;
        read_due[read_newest] = cycle + latency;
        read_newest = read_newest + 1;
      end
      if (m_axi_rvalid && m_axi_rready) begin
        read_position = read_position + 1;
        if (m_axi_rlast) begin
          read_position = 0;
          read_oldest = read_oldest + 1;
        end
      end
      if (!m_axi_rvalid || m_axi_rready) begin
        m_axi_rvalid <= 0;
        if (read_oldest != read_newest && read_due[read_oldest] <= cycle + 1) begin
          read_place = read_address[read_oldest] + read_position * BYTES;
          m_axi_rvalid <= 1;
          m_axi_rlast <= read_position == read_length[read_oldest];
          m_axi_rresp <= read_place <= SIZE_BYTES - BYTES ? OKAY : DECERR;
          for (i = 0; i < BYTES; i = i + 1)
            m_axi_rdata[8*i+:8] <= read_place <= SIZE_BYTES - BYTES ? bytes[read_place+i] : 8'd0;
        end
      end

      // m_axi_desc
      if (m_axi_desc_arvalid) begin
        descriptor_address[descriptor_newest] = m_axi_desc_araddr - base;
        descriptor_length[descriptor_newest] = m_axi_desc_arlen;
        descriptor_due[descriptor_newest] = cycle + latency;
        descriptor_newest = descriptor_newest + 1;
      end
      if (m_axi_desc_rvalid && m_axi_desc_rready) begin
        descriptor_position = descriptor_position + 1;
        if (m_axi_desc_rlast) begin
          descriptor_position = 0;
          descriptor_oldest = descriptor_oldest + 1;
        end
      end
      if (!m_axi_desc_rvalid || m_axi_desc_rready) begin
        m_axi_desc_rvalid <= 0;
        if (descriptor_oldest != descriptor_newest &&
            descriptor_due[descriptor_oldest] <= cycle + 1) begin
          descriptor_place =
              descriptor_address[descriptor_oldest] + descriptor_position * DESCRIPTOR_BYTES;
          m_axi_desc_rvalid <= 1;
          m_axi_desc_rlast <= descriptor_position == descriptor_length[descriptor_oldest];
          m_axi_desc_rresp <= descriptor_place <= SIZE_BYTES - DESCRIPTOR_BYTES ? OKAY : DECERR;
          for (i = 0; i < DESCRIPTOR_BYTES; i = i + 1)
            m_axi_desc_rdata[8*i+:8] <= descriptor_place <= SIZE_BYTES - DESCRIPTOR_BYTES ?
                bytes[descriptor_place+i] : 8'd0;
        end
      end

      // m_axi, writes. The accelerator offers no data ahead of its address
      if (m_axi_awvalid) begin
        write_address[write_newest] = m_axi_awaddr - base;
        write_newest = write_newest + 1;
      end
      if (m_axi_wvalid) begin
        write_place = write_address[write_oldest] + write_done;
        write_done = write_done + BYTES;
        if (write_place > SIZE_BYTES - BYTES) write_outside = 1;
        else
          for (i = 0; i < BYTES; i = i + 1)
            if (m_axi_wstrb[i]) bytes[write_place+i] = m_axi_wdata[8*i+:8];
        if (m_axi_wlast) begin
          response_due[response_newest] = cycle + latency;
          response_kind[response_newest] = write_outside ? DECERR : OKAY;
          response_newest = response_newest + 1;
          write_oldest = write_oldest + 1;
          write_done = 0;
          write_outside = 0;
        end
      end
      if (m_axi_bvalid && m_axi_bready) response_oldest = response_oldest + 1;
      if (!m_axi_bvalid || m_axi_bready) begin
        m_axi_bvalid <= 0;
        if (response_oldest != response_newest &&
            response_due[response_oldest] <= cycle + 1) begin
          m_axi_bvalid <= 1;
          m_axi_bresp <= response_kind[response_oldest];
        end
      end
    end
  end

  integer file, code, place;
  always @(backdoor_request)
    if (backdoor_request != backdoor_answered) begin
      if (backdoor_writes) begin
        file = $fopen("backdoor.in", "rb");
        code = $fread(bytes, file, backdoor_address, backdoor_bytes);
      end else begin
        file = $fopen("backdoor.out", "wb");
        for (place = 0; place < backdoor_bytes; place = place + 4)
          $fwrite(file, "%u", {
            bytes[backdoor_address+place+3], bytes[backdoor_address+place+2],
            bytes[backdoor_address+place+1], bytes[backdoor_address+place]
          });
      end
      $fclose(file);
      backdoor_answered = backdoor_request;
    end
endmodule
