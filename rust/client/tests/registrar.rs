//! Registration against registrars that lie, refuse, come late, or never answer.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use noray_client::{ConnectOptions, Connection, ConnectionEvent, RegisterError, RegisterOptions};
use noray_protocol::wire::id::PrivateId;
use tokio::{
    net::{TcpListener, TcpStream, UdpSocket},
    runtime::Handle,
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(20);
const PID: &str = "this-is-a-password";

/// Returns a connection to a silent server, and a socket that can be its registrar.
async fn connect() -> (Connection, TcpStream, UdpSocket) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let options = ConnectOptions {
        port: listener.local_addr().unwrap().port(),
        ..ConnectOptions::new("127.0.0.1")
    };
    let mut connection = Connection::open(&Handle::current(), options);
    let (server, _) = listener.accept().await.unwrap();
    assert!(matches!(
        connection.wait_event().await,
        Some(ConnectionEvent::Connected(_))
    ));
    (connection, server, bind().await)
}

async fn bind() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

fn register(connection: &Connection, registrar: &UdpSocket, after: Duration) {
    let options = RegisterOptions {
        registrar_port: registrar.local_addr().unwrap().port(),
        timeout: after,
        interval: Duration::from_millis(30),
    };
    let pid = PrivateId::new(PID).unwrap();
    connection.register_remote(pid, options).unwrap();
}

async fn result(connection: &mut Connection) -> Result<u16, RegisterError> {
    match timeout(PATIENCE, connection.wait_event()).await.unwrap() {
        Some(ConnectionEvent::Registered(result)) => result,
        event => panic!("{event:?}"),
    }
}

/// Waits for the player's datagram, the bare PrivateID, and returns the address to be registered.
async fn receive_pid(registrar: &UdpSocket) -> SocketAddr {
    let mut buffer = [0; 256];
    let (length, player) = timeout(PATIENCE, registrar.recv_from(&mut buffer))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&buffer[..length], PID.as_bytes());
    player
}

#[tokio::test]
async fn an_ok_registers_and_leaves_the_port_free() {
    let (mut connection, _server, registrar) = connect().await;
    register(&connection, &registrar, PATIENCE);
    let player = receive_pid(&registrar).await;
    registrar.send_to(b"OK", player).await.unwrap();
    let port = result(&mut connection).await.unwrap();
    assert_eq!(port, player.port());
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))
        .await
        .expect("the game can bind the port at once");
}

#[tokio::test]
async fn a_lost_packet_is_repeated_from_the_same_port() {
    let (mut connection, _server, registrar) = connect().await;
    register(&connection, &registrar, PATIENCE);
    let first = receive_pid(&registrar).await;
    let second = receive_pid(&registrar).await;
    assert_eq!(first, second);
    registrar.send_to(b"OK", second).await.unwrap();
    assert!(result(&mut connection).await.is_ok());
}

/// Anyone can send to the player's port. Only the registrar is believed.
#[tokio::test]
async fn liars_are_not_believed() {
    let (mut connection, _server, registrar) = connect().await;
    register(&connection, &registrar, Duration::from_millis(400));
    let player = receive_pid(&registrar).await;
    let liar = bind().await;
    for _ in 0..20 {
        liar.send_to(b"OK", player).await.unwrap();
        liar.send_to(b"Unknown host pid!", player).await.unwrap();
    }
    assert!(matches!(
        result(&mut connection).await,
        Err(RegisterError::TimedOut { .. })
    ));
}

/// A server of generation 2 repeats the PrivateID that it refuses.
#[tokio::test]
async fn a_refusal_ends_at_once_and_tells_no_secret() {
    for answer in [
        format!("Unknown host pid: {PID}"),
        "OKAY".into(),
        String::new(),
    ] {
        let (mut connection, _server, registrar) = connect().await;
        register(&connection, &registrar, PATIENCE);
        let player = receive_pid(&registrar).await;
        registrar.send_to(answer.as_bytes(), player).await.unwrap();
        let error = result(&mut connection).await.unwrap_err();
        assert!(matches!(error, RegisterError::Refused));
        assert!(!format!("{error} {error:?}").contains(PID));
    }
}

/// Nobody listens on the port yet. The system's refusals are not the registrar's.
#[tokio::test]
async fn a_registrar_that_comes_late_is_found() {
    let (mut connection, _server, registrar) = connect().await;
    let address = registrar.local_addr().unwrap();
    register(&connection, &registrar, PATIENCE);
    drop(registrar);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let registrar = UdpSocket::bind(address).await.unwrap();
    let player = receive_pid(&registrar).await;
    registrar.send_to(b"OK", player).await.unwrap();
    assert!(result(&mut connection).await.is_ok());
}

#[tokio::test]
async fn no_registration_outlives_its_connection() {
    let (connection, _server, registrar) = connect().await;
    register(&connection, &registrar, PATIENCE);
    let player = receive_pid(&registrar).await;
    drop(connection);
    let free = async {
        while UdpSocket::bind(("0.0.0.0", player.port())).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, free).await.expect("the socket is closed");
}
