//! Enums of our classes, such as `Noray.JoinStage`, which the bindings cannot declare yet: their
//! `#[constant]` makes constants without an enum.

/// Declares an enum of a class: the Rust type, what Godot is told of it, and its help.
///
/// The values are Godot's; `register` tells Godot, once the class itself is registered.
macro_rules! class_enum {
    (
        $(#[$attribute:meta])*
        $class:ident.$name:ident {
            $($(#[doc = $text:literal])+ $variant:ident as $shown:ident = $value:literal,)+
        }
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum $name {
            $($(#[doc = $text])+ $variant = $value,)+
        }

        impl $name {
            /// Tells Godot; after the class is registered.
            pub(crate) fn register() {
                use godot::{
                    obj::GodotClass,
                    register::private::constant::{ConstantKind, ExportConstant, IntegerConstant},
                };
                let enumerators = vec![$(
                    IntegerConstant::new(stringify!($shown), Self::$variant as i64),
                )+];
                let kind = ConstantKind::Enum { name: stringify!($name).into(), enumerators };
                ExportConstant::new($class::class_id(), kind).register();
            }
        }

        impl godot::meta::GodotConvert for $name {
            type Via = i64;

            fn godot_shape() -> godot::meta::shape::GodotShape {
                use godot::meta::shape::{EnumeratorShape, GodotShape};
                const ENUMERATORS: &[EnumeratorShape] = &[$(
                    EnumeratorShape::new_int(stringify!($shown), $value),
                )+];
                GodotShape::Enum {
                    variant_type: godot::builtin::VariantType::INT,
                    enumerators: ENUMERATORS.into(),
                    godot_name: Some(concat!(stringify!($class), ".", stringify!($name)).into()),
                    is_bitfield: false,
                }
            }
        }

        impl godot::meta::ToGodot for $name {
            type Pass = godot::meta::conv::ByValue;

            fn to_godot(&self) -> i64 {
                *self as i64
            }
        }

        impl godot::meta::FromGodot for $name {
            fn try_from_godot(value: i64) -> Result<Self, godot::meta::error::ConvertError> {
                match value {
                    $($value => Ok(Self::$variant),)+
                    _ => Err(godot::meta::error::ConvertError::new("no such enumerator")),
                }
            }
        }

        impl godot::register::property::SimpleVar for $name {}

        #[cfg(feature = "help")]
        godot::sys::shard_add!(
            godot::private::__GODOT_DOCS_REGISTRY;
            godot::private::DocsShard::new::<$class>(
                godot::private::DocsItem::InherentImpl(godot::private::InherentImplDocs {
                    methods_xml: "",
                    signals_xml: "",
                    constants_xml: concat!($(
                        "<constant name=\"", stringify!($shown), "\" value=\"", stringify!($value),
                        "\" enum=\"", stringify!($name), "\">", $($text,)+ "</constant>",
                    )+),
                })
            )
        );
    };
}

pub(crate) use class_enum;
