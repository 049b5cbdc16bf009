// AXI4 ports of the testbench's memory. What is not valid is X.

`default_nettype none

// Reads: bursts in order, a beat per cycle, the first LATENCY cycles after its address or a cycle
// after the burst before it.
module read_port #(
    parameter BYTES = 8,
    parameter LATENCY = 24
) (
    input wire clk,
    input wire rst,
    input wire arvalid,
    output reg arready,
    input wire [31:0] araddr,
    input wire [7:0] arlen,
    output reg rvalid,
    input wire rready,
    output reg [8*BYTES-1:0] rdata,
    output reg rlast,
    output reg [1:0] rresp,
    output reg rid
);
  localparam PLACES = 16;  // more than the accelerator has outstanding
  reg [31:0] address[0:PLACES-1];
  integer beats[0:PLACES-1];
  integer due[0:PLACES-1];
  integer first, last, now, done, lane;

  always @(posedge clk) begin
    if (rst) begin
      now = 0;
      first = 0;
      last = 0;
      done = 0;
      arready <= 1'b1;
    end else begin
      if (arvalid && arready) begin
        if (last - first == PLACES) begin
          $display("FAIL: at most %0d reads must be outstanding", PLACES);
          $finish;
        end
        address[last%PLACES] = araddr;
        beats[last%PLACES] = arlen + 1;
        due[last%PLACES] = now + LATENCY;
        last = last + 1;
      end
      if (rvalid && rready) begin
        done = rlast ? 0 : done + 1;
        if (rlast) first = first + 1;
      end
      now = now + 1;  // from here on the cycle that begins
      arready <= !testbench.pause(1'b0);
    end
    if (!(rvalid === 1'b1 && !rready) || rst) begin
      rvalid <= 1'b0;
      rdata <= {8 * BYTES{1'bx}};
      rlast <= 1'bx;
      rresp <= 2'bxx;
      rid <= 1'bx;
      if (!rst && first != last && due[first%PLACES] <= now && !testbench.pause(1'b0)) begin
        rvalid <= 1'b1;
        for (lane = 0; lane < BYTES; lane = lane + 1)
          rdata[8*lane+:8] <= testbench.memory[address[first%PLACES]+done*BYTES+lane];
        rlast <= done + 1 == beats[first%PLACES];
        rresp <= 2'b00;
        rid <= 1'b0;
      end
    end
  end
endmodule

// Writes: the response comes LATENCY cycles after a burst's last beat.
module write_port #(
    parameter BYTES = 8,
    parameter LATENCY = 24
) (
    input wire clk,
    input wire rst,
    input wire awvalid,
    output reg awready,
    input wire [31:0] awaddr,
    input wire [7:0] awlen,
    input wire wvalid,
    output reg wready,
    input wire [8*BYTES-1:0] wdata,
    input wire [BYTES-1:0] wstrb,
    input wire wlast,
    output reg bvalid,
    input wire bready,
    output reg [1:0] bresp,
    output reg bid
);
  localparam PLACES = 64;  // more than the accelerator has unanswered
  reg [31:0] address[0:PLACES-1];
  integer due[0:PLACES-1];
  integer taken, written, answered, now, done, lane;
  reg pausing;

  always @(posedge clk) begin
    if (rst) begin
      now = 0;
      taken = 0;
      written = 0;
      answered = 0;
      done = 0;
      awready <= 1'b1;
      wready <= 1'b1;
    end else begin
      if (awvalid && awready) begin
        if (taken - answered == PLACES) begin
          $display("FAIL: at most %0d writes must be unanswered", PLACES);
          $finish;
        end
        address[taken%PLACES] = awaddr;
        taken = taken + 1;
      end
      if (wvalid && wready) begin
        for (lane = 0; lane < BYTES; lane = lane + 1)
          if (wstrb[lane])
            testbench.memory[address[written%PLACES]+done*BYTES+lane] = wdata[8*lane+:8];
        done = wlast ? 0 : done + 1;
        if (wlast) begin
          due[written%PLACES] = now + LATENCY;
          written = written + 1;
        end
      end
      if (bvalid && bready) answered = answered + 1;
      now = now + 1;  // from here on the cycle that begins
      // Together: data may be there before its address is taken, and is not taken before it.
      pausing = testbench.pause(1'b0);
      awready <= !pausing;
      wready <= !pausing;
    end
    if (!(bvalid === 1'b1 && !bready) || rst) begin
      bvalid <= 1'b0;
      bresp <= 2'bxx;
      bid <= 1'bx;
      if (!rst && written != answered && due[answered%PLACES] <= now && !testbench.pause(1'b0)) begin
        bvalid <= 1'b1;
        bresp <= 2'b00;
        bid <= 1'b0;
      end
    end
  end
endmodule

`default_nettype wire
