//! How a struct becomes the exports of a component.

const std = @import("std");
const abi = @import("abi.zig");
const configuration = @import("configuration.zig");
const encoded = @import("encoded.zig");
const sandgate = @import("sandgate.zig");
const Message = @import("message.zig").Message;

/// The first case of module-error: the configuration cannot be used.
const CreateResult = extern struct { failed: u32 = 0, case: u32 = 0, text: abi.Slice = .of("") };
const ReceiveResult = extern struct { failed: u32 = 0, text: abi.Slice = .of("") };

const interface = "sandgate:gateway/module@0.1.0#";

/// Makes a component of the program with this module; once.
pub fn exportModule(comptime Module: type) void {
    const exported = struct {
        var module: Module = undefined;
        var created: CreateResult = undefined;
        var received: ReceiveResult = undefined;

        fn create(text: [*]const u8, size: usize) callconv(.c) *CreateResult {
            created = .{};
            module = make((abi.Slice{ .ptr = text, .len = size }).get()) catch |failure| {
                created = .{ .failed = 1, .text = .of(sandgate.why(failure)) };
                return &created;
            };
            return &created;
        }

        fn make(text: []const u8) !Module {
            const args = try configuration.read(Module.Args, text, Module.example);
            return Module.create(args);
        }

        fn start() callconv(.c) void {
            defer abi.endCall();
            if (@hasDecl(Module, "start")) module.start();
        }

        fn receive(
            properties: [*]const abi.Property,
            count: usize,
            content: [*]const u8,
            size: usize,
            has_source: u32,
            source: [*]const u8,
            source_size: usize,
            attempt: u32,
        ) callconv(.c) *ReceiveResult {
            received = .{};
            const delivery = sandgate.Delivery{
                .source = if (has_source != 0) (abi.Slice{ .ptr = source, .len = source_size }).get() else null,
                .attempt = attempt,
            };
            const bytes = (abi.Slice{ .ptr = content, .len = size }).get();
            takeParts(if (count == 0) &.{} else properties[0..count], bytes, delivery) catch |failure| {
                received = .{ .failed = 1, .text = .of(sandgate.why(failure)) };
            };
            return &received;
        }

        fn takeParts(properties: []const abi.Property, content: []const u8, delivery: sandgate.Delivery) !void {
            var message = Message{ .content = content };
            for (properties) |property| try message.set(property.key.get(), property.value.get());
            return module.receive(&message, delivery);
        }

        /// What is up to 64 KiB comes as it travels, one message behind the other.
        fn receiveEncoded(bytes: [*]const u8, size: usize) callconv(.c) void {
            abi.beginDeliveries();
            defer abi.endDeliveries();
            var rest = bytes[0..size];
            while (rest.len > 0) {
                const source = std.mem.sliceTo(rest[4..], 0);
                const frame = rest[4 + source.len + 1 ..];
                const end = encoded.sizeOf(frame);
                const delivery = sandgate.Delivery{
                    .source = if (source.len == 0) null else source,
                    .attempt = encoded.number(rest),
                };
                rest = frame[end + 1 ..];
                const goes_on = answer(frame[0..end], delivery, rest.len == 0);
                abi.endCall();
                if (!goes_on) return;
            }
        }

        /// Whether to go on. Returning answers the last one, if it is no error.
        fn answer(frame: []const u8, delivery: sandgate.Delivery, is_last: bool) bool {
            take(frame, delivery) catch |failure| {
                const reason = sandgate.why(failure);
                return abi.encoded_deliveries.done(1, reason.ptr, reason.len) != 0;
            };
            return !is_last and abi.encoded_deliveries.done(0, "", 0) != 0;
        }

        fn take(frame: []const u8, delivery: sandgate.Delivery) !void {
            var message = try encoded.decode(frame);
            return module.receive(&message, delivery);
        }

        fn destroy() callconv(.c) void {
            if (@hasDecl(Module, "destroy")) module.destroy();
        }

        fn onTimer(timer: u64) callconv(.c) void {
            defer abi.endCall();
            module.onTimer(timer);
        }

        /// The host has read an answer.
        fn answered(_: *anyopaque) callconv(.c) void {
            abi.endCall();
        }
    };
    @export(&exported.create, .{ .name = interface ++ "create" });
    @export(&exported.answered, .{ .name = "cabi_post_" ++ interface ++ "create" });
    @export(&exported.start, .{ .name = interface ++ "start" });
    @export(&exported.receive, .{ .name = interface ++ "receive" });
    @export(&exported.answered, .{ .name = "cabi_post_" ++ interface ++ "receive" });
    @export(&exported.receiveEncoded, .{ .name = "sandgate:gateway/encoded-handler@0.1.0#receive-encoded" });
    @export(&exported.destroy, .{ .name = interface ++ "destroy" });
    if (@hasDecl(Module, "onTimer")) {
        @export(&exported.onTimer, .{ .name = "sandgate:gateway/timer-handler@0.1.0#on-timer" });
    }
}
