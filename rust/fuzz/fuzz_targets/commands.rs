//! Passes libFuzzer's inputs to [`noray_fuzz::commands::check`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| noray_fuzz::commands::check(data));
