// Rules of AXI4 and AXI4-Lite, and the accelerator's own promises, for the ports of one design.
//
// A simulation that breaks a rule calls axi_violation(), which ends it. With FORMAL defined the rules
// of the design are assertions and those of its partner assumptions, in every cycle and of it alone;
// what is remembered of earlier cycles has the same registers in both.
//
// A reset of the design alone leaves answers to come, in a simulation whose memory is not reset with
// it. They are not judged, and those to what was asked for since come after them.
//
// No response may come in the cycle of the last handshake that it answers: AXI forbids the
// combinational path which that would take (A3.2.1).

`ifdef FORMAL
`define AXI_CHECK always @*
`define AXI_DESIGN(CHANNEL, HOLDS, RULE) assert (HOLDS);
`define AXI_PARTNER(CHANNEL, HOLDS, RULE) assume (HOLDS);
`else
`define AXI_CHECK always @(posedge clk)
`define AXI_DESIGN(CHANNEL, HOLDS, RULE) \
    if (!(HOLDS)) axi_violation({PORT, CHANNEL}, cycle, RULE); else
`define AXI_PARTNER(CHANNEL, HOLDS, RULE) `AXI_DESIGN(CHANNEL, HOLDS, RULE)
import "DPI-C" function void axi_violation(
    input string channel, input longint unsigned cycle, input string rule);
import "DPI-C" function bit axi_reset_clears();
`endif

// AR and R of a design that is the manager. Answers come in order: there is one ID.
module axi_read_rules #(
    parameter PORT = "",         // ahead of the channel's name in a message
    parameter BYTES = 4,         // of a beat
    parameter OUTSTANDING = 8,   // bursts, at most
    parameter PAGE_BYTES = 4096
) (
    input wire clk, input wire rst,
    input wire arvalid, input wire arready, input wire [31:0] araddr, input wire [7:0] arlen,
    input wire [2:0] arsize, input wire [1:0] arburst, input wire arid, input wire arlock,
    input wire [3:0] arcache, input wire [2:0] arprot,
    input wire rvalid, input wire rready, input wire rlast, input wire [1:0] rresp,
    input wire rid, input wire [8 * BYTES - 1:0] rdata
);
    localparam SLOT_BITS = $clog2(OUTSTANDING);

`ifndef FORMAL
    longint unsigned cycle;
    initial cycle = 0;
    always @(posedge clk) cycle <= cycle + 1;
`endif

    reg was_reset;
    initial was_reset = 0;
    reg address_waits, data_waits;
    reg [31:0] held_address;
    reg [7:0] held_length;
    reg [7:0] held_kind;
    reg [8 * BYTES - 1:0] held_data;
    reg [1:0] held_response;
    reg held_last;
    // Bursts that are asked for and not all there, oldest first
    reg [7:0] lengths [0:(1 << SLOT_BITS) - 1];
    reg [SLOT_BITS - 1:0] newest, oldest;
    reg [SLOT_BITS:0] outstanding;
    reg [7:0] position;
    // Bursts of before a reset that are not all there yet
    reg [SLOT_BITS + 4:0] late;
    initial {outstanding, late} = 0; // before the first reset there is nothing

    wire [7:0] kind = {arlock, arcache, arprot};
    wire requested = arvalid && arready;
    wire taken = rvalid && rready;
    wire ended = taken && rlast;
    wire [31:0] offset = araddr & (PAGE_BYTES - 1);

    `AXI_CHECK begin
        if (was_reset) begin
            `AXI_DESIGN("AR", !arvalid, "valid after reset")
            ;
        end
        if (!rst) begin
            if (address_waits) begin
                `AXI_DESIGN("AR", arvalid, "valid fell before ready")
                `AXI_DESIGN("AR", araddr == held_address && arlen == held_length && kind == held_kind,
                            "payload changed before ready")
                ;
            end
            if (arvalid) begin
                `AXI_DESIGN("AR", arburst == 1, "burst is not INCR")
                `AXI_DESIGN("AR", arsize == $clog2(BYTES), "size is not the bus width")
                `AXI_DESIGN("AR", (araddr & (BYTES - 1)) == 0, "address is not aligned")
                `AXI_DESIGN("AR", offset + (arlen + 1) * BYTES <= PAGE_BYTES, "burst crosses 4 KiB")
                `AXI_DESIGN("AR", arid == 0 && arlock == 0, "ID or lock is not 0")
                `AXI_DESIGN("AR", outstanding != OUTSTANDING, "too many bursts are outstanding")
                ;
            end
            if (data_waits) begin
                `AXI_PARTNER("R", rvalid, "valid fell before ready")
                `AXI_PARTNER("R", rdata == held_data && rresp == held_response && rlast == held_last,
                             "payload changed before ready")
                ;
            end
            if (rvalid && late == 0) begin
                `AXI_PARTNER("R", outstanding != 0, "data that was not asked for")
                `AXI_PARTNER("R", rlast == (position == lengths[oldest]),
                             "last does not agree with the burst's length")
                `AXI_PARTNER("R", rid == 0 && rresp != 1, "ID is not the address's, or response is EXOKAY")
                ;
            end
        end
    end

    always @(posedge clk) begin
        was_reset <= rst;
        address_waits <= arvalid && !arready && !rst;
        data_waits <= rvalid && !rready && !rst;
        if (arvalid && !arready) begin
            held_address <= araddr;
            held_length <= arlen;
            held_kind <= kind;
        end
        if (rvalid && !rready) begin
            held_data <= rdata;
            held_response <= rresp;
            held_last <= rlast;
        end
        if (requested) begin
            lengths[newest] <= arlen;
            newest <= newest + 1;
        end
        if (late != 0) begin
            outstanding <= outstanding + requested;
        end else begin
            if (taken) position <= rlast ? 0 : position + 1;
            if (ended) oldest <= oldest + 1;
            outstanding <= outstanding + requested - ended;
        end
`ifdef FORMAL
        late <= 0; // the partner is reset as well
`else
        if (late != 0) late <= late - ended;
        if (rst && !was_reset && outstanding + late != 0)
            late <= axi_reset_clears() ? 0 : late + outstanding - ended;
`endif
        if (rst) begin
            newest <= 0;
            oldest <= 0;
            outstanding <= 0;
            position <= 0;
        end
    end
endmodule

// AW, W and B of a design that is the manager. A burst's first beat may come with its AWVALID or after
// it, however long AWREADY takes.
module axi_write_rules #(
    parameter PORT = "",
    parameter BYTES = 4,
    parameter OUTSTANDING = 8,   // addressed bursts whose data is not complete, at most
    parameter RESPONSES = 255,   // addressed bursts that are not answered, at most
    parameter PAGE_BYTES = 4096
) (
    input wire clk, input wire rst,
    input wire awvalid, input wire awready, input wire [31:0] awaddr, input wire [7:0] awlen,
    input wire [2:0] awsize, input wire [1:0] awburst, input wire awid, input wire awlock,
    input wire [3:0] awcache, input wire [2:0] awprot,
    input wire wvalid, input wire wready, input wire [8 * BYTES - 1:0] wdata,
    input wire [BYTES - 1:0] wstrb, input wire wlast,
    input wire bvalid, input wire bready, input wire [1:0] bresp, input wire bid
);
    localparam SLOT_BITS = $clog2(OUTSTANDING);
    localparam COUNT_BITS = $clog2(RESPONSES + 1);

`ifndef FORMAL
    longint unsigned cycle;
    initial cycle = 0;
    always @(posedge clk) cycle <= cycle + 1;
`endif

    reg was_reset;
    initial was_reset = 0;
    reg address_waits, data_waits, response_waits;
    reg [31:0] held_address;
    reg [7:0] held_length;
    reg [7:0] held_kind;
    reg [8 * BYTES - 1:0] held_data;
    reg held_last;
    reg [1:0] held_response;
    // Addressed bursts whose data is not complete, oldest first
    reg [7:0] lengths [0:(1 << SLOT_BITS) - 1];
    reg [SLOT_BITS - 1:0] newest, oldest;
    reg [SLOT_BITS:0] addressed;
    reg early;                       // the burst whose address waits has all its data
    reg [7:0] position;
    reg [COUNT_BITS - 1:0] pending;  // addressed and not answered
    reg [COUNT_BITS - 1:0] complete; // of these, those with all their data
    // Bursts of before a reset, with all their data, that are not answered yet
    reg [COUNT_BITS + 3:0] late;
    initial {complete, late} = 0; // before the first reset there is nothing

    wire [7:0] kind = {awlock, awcache, awprot};
    wire moved = awvalid && awready;
    wire taken = wvalid && wready;
    wire ended = taken && wlast;
    wire answered = bvalid && bready && late == 0;
    wire known = addressed != 0 || (awvalid && !early);
    wire [7:0] length = addressed != 0 ? lengths[oldest] : awlen;
    wire ends_at_once = ended && addressed == 0;
    wire entered = moved && !early && !ends_at_once;
    wire [31:0] offset = awaddr & (PAGE_BYTES - 1);

    `AXI_CHECK begin
        if (was_reset) begin
            `AXI_DESIGN("AW", !awvalid, "valid after reset")
            `AXI_DESIGN("W", !wvalid, "valid after reset")
            ;
        end
        if (!rst) begin
            if (address_waits) begin
                `AXI_DESIGN("AW", awvalid, "valid fell before ready")
                `AXI_DESIGN("AW", awaddr == held_address && awlen == held_length && kind == held_kind,
                            "payload changed before ready")
                ;
            end
            if (awvalid) begin
                `AXI_DESIGN("AW", awburst == 1, "burst is not INCR")
                `AXI_DESIGN("AW", awsize == $clog2(BYTES), "size is not the bus width")
                `AXI_DESIGN("AW", (awaddr & (BYTES - 1)) == 0, "address is not aligned")
                `AXI_DESIGN("AW", offset + (awlen + 1) * BYTES <= PAGE_BYTES, "burst crosses 4 KiB")
                `AXI_DESIGN("AW", awid == 0 && awlock == 0, "ID or lock is not 0")
                `AXI_DESIGN("AW", addressed != OUTSTANDING, "too many addresses are ahead of the data")
                `AXI_DESIGN("AW", pending != RESPONSES, "too many bursts are unanswered")
                ;
            end
            if (data_waits) begin
                `AXI_DESIGN("W", wvalid, "valid fell before ready")
                `AXI_DESIGN("W", wdata == held_data && wlast == held_last,
                            "payload changed before ready")
                ;
            end
            if (wvalid) begin
                `AXI_DESIGN("W", known, "data whose address was not given")
                `AXI_DESIGN("W", wlast == (position == length),
                            "last does not agree with the burst's length")
                `AXI_DESIGN("W", &wstrb, "strobes are not all 1")
                ;
            end
            if (response_waits) begin
                `AXI_PARTNER("B", bvalid, "valid fell before ready")
                `AXI_PARTNER("B", bresp == held_response, "payload changed before ready")
                ;
            end
            if (bvalid && late == 0) begin
                `AXI_PARTNER("B", complete != 0, "response to no burst")
                `AXI_PARTNER("B", bid == 0 && bresp != 1, "ID is not the address's, or response is EXOKAY")
                ;
            end
        end
    end

    always @(posedge clk) begin
        was_reset <= rst;
        address_waits <= awvalid && !awready && !rst;
        data_waits <= wvalid && !wready && !rst;
        response_waits <= bvalid && !bready && !rst;
        if (awvalid && !awready) begin
            held_address <= awaddr;
            held_length <= awlen;
            held_kind <= kind;
        end
        if (wvalid && !wready) begin
            held_data <= wdata;
            held_last <= wlast;
        end
        if (bvalid && !bready) held_response <= bresp;
        if (entered) begin
            lengths[newest] <= awlen;
            newest <= newest + 1;
        end
        if (ended && addressed != 0) oldest <= oldest + 1;
        addressed <= addressed + entered - (ended && addressed != 0);
        early <= (early || ends_at_once) && !moved;
        if (taken) position <= wlast ? 0 : position + 1;
        pending <= pending + moved - answered;
        complete <= complete + ((ended && addressed != 0) || (moved && (early || ends_at_once))) - answered;
`ifdef FORMAL
        late <= 0; // the partner is reset as well
`else
        if (late != 0) late <= late - (bvalid && bready);
        if (rst && !was_reset && complete + late != 0)
            late <= axi_reset_clears() ? 0 : late + complete - (bvalid && bready);
`endif
        if (rst) begin
            newest <= 0;
            oldest <= 0;
            addressed <= 0;
            early <= 0;
            position <= 0;
            pending <= 0;
            complete <= 0;
        end
    end
endmodule

// All channels of AXI4-Lite of a design that is the subordinate.
module axi_lite_rules #(
    parameter PORT = "",
    parameter ADDRESS_BITS = 8,
    parameter OUTSTANDING = 2    // accesses of each kind that are begun and not answered, at most
) (
    input wire clk, input wire rst,
    input wire awvalid, input wire awready, input wire [ADDRESS_BITS - 1:0] awaddr,
    input wire [2:0] awprot,
    input wire wvalid, input wire wready, input wire [31:0] wdata, input wire [3:0] wstrb,
    input wire bvalid, input wire bready, input wire [1:0] bresp,
    input wire arvalid, input wire arready, input wire [ADDRESS_BITS - 1:0] araddr,
    input wire [2:0] arprot,
    input wire rvalid, input wire rready, input wire [31:0] rdata, input wire [1:0] rresp
);
    localparam COUNT_BITS = $clog2(OUTSTANDING + 1);

`ifndef FORMAL
    longint unsigned cycle;
    initial cycle = 0;
    always @(posedge clk) cycle <= cycle + 1;
`endif

    reg was_reset;
    initial was_reset = 0;
    reg write_waits, data_waits, response_waits, read_waits, answer_waits;
    reg [ADDRESS_BITS + 2:0] held_write, held_read;
    reg [35:0] held_data;
    reg [1:0] held_response;
    reg [33:0] held_answer;
    reg [COUNT_BITS - 1:0] addresses, words, reads; // taken and not answered

    `AXI_CHECK begin
        if (was_reset) begin
            `AXI_DESIGN("B", !bvalid, "valid after reset")
            `AXI_DESIGN("R", !rvalid, "valid after reset")
            ;
            if (!rst) begin
                `AXI_PARTNER("AW", !awvalid, "valid after reset")
                `AXI_PARTNER("W", !wvalid, "valid after reset")
                `AXI_PARTNER("AR", !arvalid, "valid after reset")
                ;
            end
        end
        if (!rst) begin
            if (write_waits) begin
                `AXI_PARTNER("AW", awvalid, "valid fell before ready")
                `AXI_PARTNER("AW", {awaddr, awprot} == held_write, "payload changed before ready")
                ;
            end
            if (data_waits) begin
                `AXI_PARTNER("W", wvalid, "valid fell before ready")
                `AXI_PARTNER("W", {wdata, wstrb} == held_data, "payload changed before ready")
                ;
            end
            if (read_waits) begin
                `AXI_PARTNER("AR", arvalid, "valid fell before ready")
                `AXI_PARTNER("AR", {araddr, arprot} == held_read, "payload changed before ready")
                ;
            end
            if (awready) begin
                `AXI_DESIGN("AW", addresses != OUTSTANDING, "too many writes are unanswered")
                ;
            end
            if (wready) begin
                `AXI_DESIGN("W", words != OUTSTANDING, "too many writes are unanswered")
                ;
            end
            if (arready) begin
                `AXI_DESIGN("AR", reads != OUTSTANDING, "too many reads are unanswered")
                ;
            end
            if (response_waits) begin
                `AXI_DESIGN("B", bvalid, "valid fell before ready")
                `AXI_DESIGN("B", bresp == held_response, "payload changed before ready")
                ;
            end
            if (bvalid) begin
                `AXI_DESIGN("B", addresses != 0 && words != 0, "response to no write")
                `AXI_DESIGN("B", bresp != 1, "response is EXOKAY")
                ;
            end
            if (answer_waits) begin
                `AXI_DESIGN("R", rvalid, "valid fell before ready")
                `AXI_DESIGN("R", {rdata, rresp} == held_answer, "payload changed before ready")
                ;
            end
            if (rvalid) begin
                `AXI_DESIGN("R", reads != 0, "data that was not asked for")
                `AXI_DESIGN("R", rresp != 1, "response is EXOKAY")
                ;
            end
        end
    end

    always @(posedge clk) begin
        was_reset <= rst;
        write_waits <= awvalid && !awready && !rst;
        data_waits <= wvalid && !wready && !rst;
        response_waits <= bvalid && !bready && !rst;
        read_waits <= arvalid && !arready && !rst;
        answer_waits <= rvalid && !rready && !rst;
        if (awvalid && !awready) held_write <= {awaddr, awprot};
        if (wvalid && !wready) held_data <= {wdata, wstrb};
        if (bvalid && !bready) held_response <= bresp;
        if (arvalid && !arready) held_read <= {araddr, arprot};
        if (rvalid && !rready) held_answer <= {rdata, rresp};
        addresses <= addresses + (awvalid && awready) - (bvalid && bready);
        words <= words + (wvalid && wready) - (bvalid && bready);
        reads <= reads + (arvalid && arready) - (rvalid && rready);
        if (rst) begin
            addresses <= 0;
            words <= 0;
            reads <= 0;
        end
    end
endmodule
