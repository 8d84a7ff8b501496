//! A source: publishes a numbered message on a timer.
//!
//! `args`: `interval.ms`, the time between two messages; `text`, their content; `count`, after how many to stop (never,
//! where it is missing). Property `n` of a message is its number, from 1.

const std = @import("std");
const sandgate = @import("sandgate");

const Sampler = struct {
    args: Args,
    published: u64 = 0,

    pub const Args = struct { @"interval.ms": u64, text: []const u8, count: ?u64 = null };
    pub const example = "{\"interval.ms\": 100, \"text\": \"tick\", \"count\": 10}";

    pub fn create(args: Args) !Sampler {
        if (args.@"interval.ms" == 0) {
            return sandgate.fail(
                "args.interval.ms: found 0, wanted 1 or more milliseconds; write for example {s}",
                .{example},
            );
        }
        return .{ .args = args };
    }

    pub fn start(self: *Sampler) void {
        if (self.args.count == 0) return;
        _ = sandgate.timers.every(self.args.@"interval.ms") catch |failure| {
            std.log.err("there is no timer to publish on: {s}", .{sandgate.why(failure)});
        };
    }

    pub fn receive(_: *Sampler, _: *sandgate.Message, _: sandgate.Delivery) !void {
        return sandgate.fail("a sampler is a source and takes no messages: remove the link that leads to it", .{});
    }

    pub fn onTimer(self: *Sampler, timer: sandgate.timers.Timer) void {
        self.published += 1;
        self.publish() catch |failure| std.log.warn("{s}", .{sandgate.why(failure)});
        if (self.published == self.args.count) sandgate.timers.cancel(timer);
    }

    fn publish(self: *Sampler) !void {
        var message = sandgate.Message{ .content = self.args.text };
        try message.set("n", try std.fmt.allocPrint(sandgate.arena, "{d}", .{self.published}));
        try message.publish();
    }
};

pub const std_options = sandgate.options;
pub const panic = sandgate.panic;

comptime {
    sandgate.exportModule(Sampler);
}
