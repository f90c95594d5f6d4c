//! Connections to servers that the tests play themselves.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use noray_client::{ConnectOptions, Connection, ConnectionEvent, DialError, DisconnectReason};
use noray_protocol::{
    player::requests::ConnectError,
    wire::{
        command::{ConnectKind, ServerCommand},
        id::OpenId,
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    runtime::Handle,
    time::timeout,
};

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

async fn listen() -> (TcpListener, ConnectOptions) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let options = ConnectOptions {
        port: listener.local_addr().unwrap().port(),
        ..ConnectOptions::new("127.0.0.1")
    };
    (listener, options)
}

async fn next(connection: &mut Connection) -> ConnectionEvent {
    timeout(PATIENCE, connection.wait_event())
        .await
        .expect("an event comes in time")
        .expect("the task tells its end")
}

async fn connect(options: ConnectOptions, listener: &TcpListener) -> (Connection, TcpStream) {
    let mut connection = Connection::open(&Handle::current(), options);
    let (server, _) = listener.accept().await.unwrap();
    assert!(matches!(
        next(&mut connection).await,
        ConnectionEvent::Connected(_)
    ));
    (connection, server)
}

fn oid(text: &str) -> OpenId {
    OpenId::new(text).unwrap()
}

#[tokio::test]
async fn tells_why_no_server_is_reached() {
    let (listener, options) = listen().await;
    drop(listener);
    let mut refused = Connection::open(&Handle::current(), options);
    let ConnectionEvent::NotConnected(error @ DialError::Unreachable { .. }) =
        next(&mut refused).await
    else {
        panic!("a closed port is unreachable");
    };
    assert!(error.to_string().starts_with("127.0.0.1, port "));

    let options = ConnectOptions::new("no.such.name.invalid");
    let mut unknown = Connection::open(&Handle::current(), options);
    let ConnectionEvent::NotConnected(error) = next(&mut unknown).await else {
        panic!("the name has no address");
    };
    assert_eq!(error.to_string(), "no.such.name.invalid: no address found");
    assert!(
        unknown.wait_event().await.is_none(),
        "it was the last event"
    );
}

#[tokio::test]
async fn lines_arrive_in_order_however_they_are_cut() {
    let (listener, options) = listen().await;
    let (mut connection, mut server) = connect(options, &listener).await;
    for byte in "set-oid ö\nset-pid geheim\nconnect 127.0.0.1:7\n".bytes() {
        server.write_all(&[byte]).await.unwrap();
        server.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut commands = Vec::new();
    for _ in 0..3 {
        match next(&mut connection).await {
            ConnectionEvent::Line(line) => commands.push(line.command),
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(commands[0], ServerCommand::SetOpenId("ö".to_owned()));
    assert!(matches!(&commands[1], ServerCommand::SetPrivateId(pid) if pid.reveal() == "geheim"));
    let address = SocketAddr::from(([127, 0, 0, 1], 7));
    assert_eq!(commands[2], ServerCommand::ConnectNat(address));
}

#[tokio::test]
async fn a_closing_server_is_the_last_event() {
    let (listener, options) = listen().await;
    let (mut connection, server) = connect(options, &listener).await;
    connection.connect(ConnectKind::Nat, oid("open")).unwrap();
    let mut lines = BufReader::new(server);
    lines.read_line(&mut String::new()).await.unwrap();
    drop(lines);
    let ConnectionEvent::ConnectFailed(failure) = next(&mut connection).await else {
        panic!("the open request fails first");
    };
    assert_eq!(failure.oid, "open");
    assert_eq!(failure.error, ConnectError::Disconnected);
    assert!(matches!(
        next(&mut connection).await,
        ConnectionEvent::Disconnected(DisconnectReason::Closed | DisconnectReason::Lost(_))
    ));
    assert!(connection.wait_event().await.is_none());
    assert!(
        connection.register_host().is_err(),
        "nobody is there to ask"
    );
}

#[tokio::test]
async fn dropping_the_handle_closes_the_connection() {
    let (listener, options) = listen().await;
    let (connection, mut server) = connect(options, &listener).await;
    drop(connection);
    let read = timeout(PATIENCE, server.read(&mut [0; 8])).await.unwrap();
    assert_eq!(read.unwrap(), 0);
}

/// When a game stalls, no line may be lost, and the task may not collect them all.
#[tokio::test]
async fn a_stalled_game_makes_the_server_wait() {
    const LINES: usize = 300_000;
    let (listener, options) = listen().await;
    let (mut connection, mut server) = connect(options, &listener).await;
    let sender = tokio::spawn(async move {
        for n in 0..LINES {
            let line = format!("news {n:032}\n");
            server.write_all(line.as_bytes()).await.unwrap();
        }
        server
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!sender.is_finished(), "the task has read everything ahead");
    for n in 0..LINES {
        match next(&mut connection).await {
            ConnectionEvent::Line(line) => assert_eq!(line.data.parse(), Ok(n)),
            event => panic!("{event:?}"),
        }
    }
}

/// A careless client grows with a line that never ends.
#[tokio::test]
async fn endless_lines_and_garbage_are_passed_over() {
    let (listener, options) = listen().await;
    let (mut connection, mut server) = connect(options, &listener).await;
    for _ in 0..64 {
        server.write_all(&[b'x'; 64 * 1024]).await.unwrap();
    }
    server
        .write_all(b"\n\xff\xfe\x00\nset-oid fine\n")
        .await
        .unwrap();
    loop {
        match next(&mut connection).await {
            ConnectionEvent::Line(line) if line.name == "set-oid" => break,
            ConnectionEvent::Line(line) => assert!(line.name.len() < 64),
            event => panic!("{event:?}"),
        }
    }
}

#[tokio::test]
async fn a_silent_server_ends_what_was_asked() {
    let (listener, options) = listen().await;
    let options = ConnectOptions {
        answer_timeout: Duration::from_millis(200),
        ..options
    };
    let (mut connection, _server) = connect(options, &listener).await;
    connection.register_host().unwrap();
    connection.connect(ConnectKind::Relay, oid("host")).unwrap();
    let mut ended = Vec::new();
    for _ in 0..2 {
        ended.push(match next(&mut connection).await {
            ConnectionEvent::NoIdentity => "identity",
            ConnectionEvent::ConnectFailed(failure) => {
                assert!(matches!(failure.error, ConnectError::TimedOut(_)));
                "relay"
            }
            event => panic!("{event:?}"),
        });
    }
    ended.sort_unstable();
    assert_eq!(ended, ["identity", "relay"]);
}

/// Generation 1 never refuses: silence between two echoes is the answer.
#[tokio::test]
async fn generation_1_is_found_out_by_its_echo() {
    let (listener, options) = listen().await;
    let (mut connection, server) = connect(options, &listener).await;
    tokio::spawn(async move {
        let mut lines = BufReader::new(server).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            let line = format!("{line}\n");
            if line.starts_with("echo ") {
                lines.get_mut().write_all(line.as_bytes()).await.unwrap();
            }
        }
    });
    for kind in [ConnectKind::Nat, ConnectKind::Relay] {
        connection.connect(kind, oid("nobody")).unwrap();
        let ConnectionEvent::ConnectFailed(failure) = next(&mut connection).await else {
            panic!("no other event comes: the echoes stay inside");
        };
        assert_eq!(
            (failure.kind, failure.error),
            (kind, ConnectError::NoAnswer)
        );
    }
}
