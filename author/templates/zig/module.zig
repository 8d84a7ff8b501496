//! Marks every message with the name of this site, which is the module's `args`.

const sandgate = @import("sandgate");

const {{Name}} = struct {
    site: Args,

    pub const Args = []const u8;
    pub const example = "\"lab\"";

    pub fn create(site: Args) !{{Name}} {
        return .{ .site = site };
    }

    pub fn receive(self: *{{Name}}, message: *sandgate.Message, _: sandgate.Delivery) !void {
        try message.set("site", self.site);
        try message.publish();
    }
};

pub const std_options = sandgate.options;
pub const panic = sandgate.panic;

comptime {
    sandgate.exportModule({{Name}});
}
