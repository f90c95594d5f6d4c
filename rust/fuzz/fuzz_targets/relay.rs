//! Passes libFuzzer's inputs to [`noray_fuzz::relay::check`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| noray_fuzz::relay::check(data));
