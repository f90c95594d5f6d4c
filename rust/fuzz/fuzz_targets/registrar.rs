//! Passes libFuzzer's inputs to [`noray_fuzz::registrar::check`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| noray_fuzz::registrar::check(data));
