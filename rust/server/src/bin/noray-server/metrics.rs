//! Writes the metrics as Prometheus text, with the public server's names and our own.

use noray_server::{Histogram, Metrics};
use prometheus::{
    TextEncoder,
    proto::{Bucket, Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType},
};

/// Returns the server's metrics, and what the system tells of this process, as text.
///
/// # Errors
/// Prometheus' encoder refuses a metric.
pub(crate) fn to_text(metrics: &Metrics, serving: bool) -> Result<String, prometheus::Error> {
    let mut families = Vec::new();
    public_servers(metrics, &mut families);
    our_own(metrics, serving, &mut families);
    // Processor time, memory and descriptors; the public server has the same names.
    families.extend(prometheus::gather());
    TextEncoder::new().encode_to_string(&families)
}

/// Adds the public server's metrics.
fn public_servers(metrics: &Metrics, to: &mut Vec<MetricFamily>) {
    let commands = metrics.commands.iter();
    to.push(family(
        "noray_command_duration",
        "Time it took to handle a command, in seconds",
        MetricType::HISTOGRAM,
        commands.map(|(name, times)| histogram(&[("command", name)], times)),
    ));
    let failures = metrics.command_failures.iter();
    to.push(family(
        "noray_command_exception",
        "Commands that did not do what was asked, refused ones included",
        MetricType::COUNTER,
        failures.map(|(name, count)| counter(&[("command", name)], *count)),
    ));
    to.extend([
        one_gauge(
            "noray_tcp_connections",
            "Open connections of players and of others",
            metrics.connections,
        ),
        one_gauge(
            "noray_active_hosts",
            "Players with an OpenID",
            metrics.players,
        ),
        one_counter(
            "noray_remote_registrar_success",
            "Registrations of a player's first address",
            metrics.registrations,
        ),
        one_counter(
            "noray_remote_registrar_repeat",
            "Registrations of an address that was registered",
            metrics.registrations_repeated,
        ),
        one_counter(
            "noray_remote_registrar_fail",
            "Datagrams to the registrar without a known PrivateID",
            metrics.registrations_failed,
        ),
        one_gauge("noray_relay_count", "Open relays", metrics.relays),
        one_counter(
            "noray_relay_expired",
            "Relays that were closed because nothing went through",
            metrics.relays_expired,
        ),
        one_counter(
            "noray_relay_drop_count",
            "Packets that came to a relay and went nowhere",
            metrics.relay_drops.iter().map(|(_, count)| count).sum(),
        ),
        family(
            "noray_relay_size",
            "Sizes of relayed packets, in bytes of payload",
            MetricType::HISTOGRAM,
            [histogram(&[], &metrics.relay_sizes)],
        ),
        family(
            "noray_relay_duration",
            "Time from reading a packet until it was sent on, in seconds",
            MetricType::HISTOGRAM,
            [histogram(&[], &metrics.relay_times)],
        ),
    ]);
}

/// Adds the metrics that the public server does not have.
fn our_own(metrics: &Metrics, serving: bool, to: &mut Vec<MetricFamily>) {
    to.extend([
        family(
            "noray_build_info",
            "Always 1; the version is in the label",
            MetricType::GAUGE,
            [gauge(&[("version", env!("CARGO_PKG_VERSION"))], 1)],
        ),
        one_gauge(
            "noray_serving",
            "1 while players can come, 0 while the server drains",
            serving.into(),
        ),
        one_gauge(
            "noray_tcp_connections_limit",
            "Connections that there may be at one time",
            metrics.max_connections,
        ),
        one_counter(
            "noray_tcp_connections_refused_total",
            "Connections that were closed at once, because there was no room",
            metrics.connections_refused,
        ),
        one_counter(
            "noray_throttled_total",
            "Times that a connection had to wait because too much was sent",
            metrics.waits,
        ),
        one_counter(
            "noray_remote_registrar_moved_total",
            "Registrations of another address than before",
            metrics.registrations_moved,
        ),
        one_gauge(
            "noray_relay_limit",
            "Relays that there may be at one time",
            metrics.relay_ports,
        ),
    ]);
    let refusals = metrics.refusals.iter();
    to.push(family(
        "noray_refused_total",
        "Requests to connect that were refused",
        MetricType::COUNTER,
        refusals.map(|(command, reason, count)| {
            counter(&[("command", command), ("reason", reason)], *count)
        }),
    ));
    let drops = metrics.relay_drops.iter();
    to.push(family(
        "noray_relay_dropped_total",
        "Packets that came to a relay and went nowhere, by reason",
        MetricType::COUNTER,
        drops.map(|(reason, count)| counter(&[("reason", reason)], *count)),
    ));
}

fn family(
    name: &str,
    help: &str,
    kind: MetricType,
    metrics: impl IntoIterator<Item = Metric>,
) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics.into_iter().collect());
    family
}

fn one_gauge(name: &str, help: &str, value: u64) -> MetricFamily {
    family(name, help, MetricType::GAUGE, [gauge(&[], value)])
}

fn one_counter(name: &str, help: &str, value: u64) -> MetricFamily {
    family(name, help, MetricType::COUNTER, [counter(&[], value)])
}

fn gauge(labels: &[(&str, &str)], value: u64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value as f64);
    let mut metric = labelled(labels);
    metric.set_gauge(gauge);
    metric
}

fn counter(labels: &[(&str, &str)], value: u64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(value as f64);
    let mut metric = labelled(labels);
    metric.set_counter(counter);
    metric
}

fn histogram(labels: &[(&str, &str)], values: &Histogram) -> Metric {
    let mut below = 0;
    let buckets = values.buckets.iter().map(|(bound, count)| {
        below += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(*bound);
        bucket.set_cumulative_count(below);
        bucket
    });
    let mut histogram = prometheus::proto::Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(values.count);
    histogram.set_sample_sum(values.sum);
    let mut metric = labelled(labels);
    metric.set_histogram(histogram);
    metric
}

fn labelled(labels: &[(&str, &str)]) -> Metric {
    let pairs = labels.iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    let mut metric = Metric::default();
    metric.set_label(pairs.collect());
    metric
}
