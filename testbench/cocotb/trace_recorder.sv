// Writes trace.bin: for every event of a run two words, its kind and its cycle. Cycle 0 is the first
// in which trace_busy is high after the doorbell.
//
// Kinds: 0, 1 LOAD starts and is done; 2, 3, 4 EXECUTE starts, its issue ends, it is done; 5, 6 STORE
// starts and is done.
module trace_recorder (
    input clk,
    input doorbell,                // the doorbell's write begins in this cycle
    input irq,
    input busy,
    input [6:0] events,            // in this cycle, by kind
    input transfers,               // whether any handshake takes place on the ports to the memory
    input [31:0] watchdog,         // cycles without an event or handshake after which a run is stuck
    input follows,                 // whether a test looks at every end of EXECUTE
    output reg [31:0] followed,    // counts these ends and the run's, once they are in the file
    output reg stuck,
    output reg [31:0] run_cycle,   // of the cycle that begins; all ones before cycle 0
    output reg [63:0] cycle        // since the simulation began
);
  reg running, zeroed;
  reg [63:0] zero, last_event;
  integer file, kind;
  initial begin
    running = 0;
    zeroed = 0;
    followed = 0;
    stuck = 0;
    run_cycle = 32'hFFFFFFFF;
    cycle = 0;
    file = 0;
  end

  always @(posedge clk) begin
    if (doorbell && !running) begin
      file = $fopen("trace.bin", "wb");
      running = 1;
      zeroed = 0;
      last_event = cycle;
      stuck <= 0;
      run_cycle <= 32'hFFFFFFFF;
    end
    if (running && irq) begin
      $fclose(file);
      running = 0;
      followed <= followed + 1;
    end
    if (running) begin
      if (!zeroed && busy) begin
        zeroed = 1;
        zero = cycle;
      end
      if (zeroed) begin
        if (transfers || events != 0) last_event = cycle;
        if (events != 0)
          for (kind = 0; kind < 7; kind = kind + 1)
            if (events[kind]) $fwrite(file, "%u%u", kind, cycle[31:0] - zero[31:0]);
        if (events[4] && follows) begin
          $fflush(file);
          followed <= followed + 1;
        end
        run_cycle <= cycle[31:0] + 1 - zero[31:0];
      end
      if (cycle + 1 - last_event > {32'd0, watchdog} && !stuck) begin
        $fflush(file);
        stuck <= 1;
      end
    end
    cycle <= cycle + 1;
  end
endmodule
