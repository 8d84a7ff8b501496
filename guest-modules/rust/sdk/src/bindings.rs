//! The generated bindings: the module contract as Rust sees it. Authors meet them through the crate's root.
//!
//! The plain world is generated whole. Each optional interface is a world of its own, which the linker joins
//! to the plain one in those components that export it: so any set of them can be chosen.
#![allow(missing_docs)]

wit_bindgen::generate!({
    path: "../../../wit",
    world: "sandgate:gateway/gateway-module",
    pub_export_macro: true,
    export_macro_name: "export_module",
    default_bindings_module: "sandgate_module::bindings",
});

/// The optional interface `encoded-handler`, and what comes with it.
pub mod encoded {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package sandgate:module-encoded;
            world encoded {
                import sandgate:gateway/encoded-broker@0.1.0;
                import sandgate:gateway/encoded-deliveries@0.1.0;
                export sandgate:gateway/encoded-handler@0.1.0;
            }
        ",
        world: "sandgate:module-encoded/encoded",
        generate_all,
        with: {
            "sandgate:gateway/types@0.1.0": crate::bindings::sandgate::gateway::types,
            "sandgate:gateway/broker@0.1.0": crate::bindings::sandgate::gateway::broker,
        },
        pub_export_macro: true,
        export_macro_name: "export_encoded_handler",
        default_bindings_module: "sandgate_module::bindings::encoded",
    });
}

/// The optional interface `timer-handler`.
pub mod timer_handler {
    wit_bindgen::generate!({
        path: "../../../wit",
        inline: "
            package sandgate:module-timers;
            world timer-handler { export sandgate:gateway/timer-handler@0.1.0; }
        ",
        world: "sandgate:module-timers/timer-handler",
        with: { "sandgate:gateway/timers@0.1.0": crate::bindings::sandgate::gateway::timers },
        pub_export_macro: true,
        export_macro_name: "export_timer_handler",
        default_bindings_module: "sandgate_module::bindings::timer_handler",
    });
}
