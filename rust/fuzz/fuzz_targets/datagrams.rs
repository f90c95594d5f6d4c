//! Passes libFuzzer's inputs to [`noray_fuzz::datagrams::check`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| noray_fuzz::datagrams::check(data));
