//! How a [`Module`](crate::Module) becomes the exports of a component.

/// Makes the crate a component with this module; `export!(Sampler with timers)` for a
/// [`TimerHandler`](crate::TimerHandler). Once in a crate.
///
/// The host hands messages over in their encoded form. `export!(Echo by records)` makes a component that takes them by
/// their parts, as those in some other languages do: dearer, and the same.
///
/// The one instance lives in the expansion, out of the author's sight. A component has one thread and the host
/// never re-enters it, so the cell is never borrowed twice.
#[macro_export]
macro_rules! export {
    ($module:ident) => {
        const _: () = {
            $crate::__export_as_module!($module);
            $crate::__export_encoded!($module);
        };
    };
    ($module:ident by records) => {
        const _: () = {
            $crate::__export_as_module!($module);
        };
    };
    ($module:ident with timers) => {
        const _: () = {
            $crate::__export_as_module!($module);
            $crate::__export_encoded!($module);

            impl $crate::bindings::timer_handler::exports::sandgate::gateway::timer_handler::Guest for Exported {
                fn on_timer(timer: $crate::Timer) {
                    with_module(|module| $crate::TimerHandler::on_timer(module, timer));
                }
            }

            $crate::bindings::timer_handler::export_timer_handler!(
                Exported with_types_in $crate::bindings::timer_handler
            );
        };
    };
}

/// The part of [`export!`] that every module has.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_as_module {
    ($module:ident) => {
        struct Exported;

        ::std::thread_local! {
            static MODULE: ::std::cell::RefCell<::std::option::Option<$module>> =
                const { ::std::cell::RefCell::new(::std::option::Option::None) };
        }

        fn with_module<R>(call: impl ::std::ops::FnOnce(&mut $module) -> R) -> R {
            MODULE.with_borrow_mut(|module| call(module.as_mut().expect("the host calls `create` first")))
        }

        impl $crate::bindings::exports::sandgate::gateway::module::Guest for Exported {
            fn create(
                configuration: ::std::string::String,
            ) -> ::std::result::Result<(), $crate::ModuleError> {
                let module = <$module as $crate::Module>::create(&configuration)?;
                MODULE.set(::std::option::Option::Some(module));
                ::std::result::Result::Ok(())
            }

            fn start() {
                with_module($crate::Module::start);
            }

            fn receive(
                message: $crate::Parts,
                delivery: $crate::Delivery,
            ) -> ::std::result::Result<(), ::std::string::String> {
                with_module(|module| $crate::Module::receive(module, message.into(), delivery))
            }

            fn destroy() {
                with_module($crate::Module::destroy);
                MODULE.take();
            }
        }

        $crate::bindings::export_module!(Exported with_types_in $crate::bindings);
    };
}

/// The part that takes messages in their encoded form.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_encoded {
    ($module:ident) => {
        impl $crate::bindings::encoded::exports::sandgate::gateway::encoded_handler::Guest for Exported {
            fn receive_encoded(deliveries: ::std::vec::Vec<u8>) {
                $crate::encoded::each(deliveries, |message, delivery| {
                    with_module(|module| $crate::Module::receive(module, message, delivery))
                });
            }
        }

        $crate::bindings::encoded::export_encoded_handler!(
            Exported with_types_in $crate::bindings::encoded
        );
    };
}
