//! The entry point: Godot calls it when it loads and unloads the extension.

#![expect(unsafe_code, reason = "the bindings demand it for the entry point")]

use godot::{
    init::{ExtensionLibrary, InitStage},
    prelude::gdextension,
};

use crate::{autoload, first_scan, frame, log, runtime, settings};

struct NorayExtension;

// SAFETY: the bindings' own macro declares the entry point.
#[gdextension]
unsafe impl ExtensionLibrary for NorayExtension {
    fn on_stage_init(stage: InitStage) {
        if stage == InitStage::Scene {
            first_scan::spare_the_help();
            settings::register();
            log::start();
            autoload::warn_about_netfox();
            frame::start();
        }
    }

    fn on_stage_deinit(stage: InitStage) {
        if stage == InitStage::Scene {
            frame::stop();
            runtime::stop();
        }
    }
}
