//! The command as a process that cannot outlive its test.

#![allow(dead_code, reason = "each test binary uses another part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use sansocket::Server;

use crate::support::{Exchange, PATIENCE, Peer, REQUEST, read_head};

/// A running command, its output line by line.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Process {
    pub(crate) fn start(args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sansocket"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let stdin = child.stdin.take();
        let stdout = lines(child.stdout.take().expect("piped"));
        let stderr = lines(child.stderr.take().expect("piped"));
        Self { child, stdin, stdout, stderr }
    }

    /// Writes to its standard input.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("not ended");
        stdin.write_all(bytes).and_then(|()| stdin.flush()).expect("it reads");
    }

    /// Ends its standard input.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// The next line on its standard output.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.stdout.recv_timeout(PATIENCE).expect("a line")
    }

    /// The next line on its standard error that has this in it.
    #[track_caller]
    pub(crate) fn log(&self, part: &str) -> String {
        loop {
            match self.stderr.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(part) => return line,
                Ok(_) => {}
                Err(error) => panic!("no line with {part:?}: {error}"),
            }
        }
    }

    /// Sends it a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }

    /// Waits for its end: the status and what it printed that was not yet read.
    #[track_caller]
    pub(crate) fn end(&mut self) -> (Option<i32>, Vec<String>) {
        let mut rest = Vec::new();
        // Its output ends when it does.
        loop {
            match self.stdout.recv_timeout(PATIENCE) {
                Ok(line) => rest.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("the command hangs"),
            }
        }
        (self.child.wait().expect("a status").code(), rest)
    }

    /// What is left on its standard error, after its end.
    pub(crate) fn rest_of_log(&self) -> String {
        self.stderr.iter().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whatever the test came to; it may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of `stream`, read on a thread of their own.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// A server of ours, on a port of its own.
#[derive(Debug)]
pub(crate) struct Serve {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Serve {
    pub(crate) fn start(args: &[&str]) -> Self {
        let args = [&["serve", "--listen", "127.0.0.1:0"], args].concat();
        Self::announced(Process::start(&args))
    }

    /// Waits for the line that says where it listens.
    #[track_caller]
    pub(crate) fn announced(process: Process) -> Self {
        let line = process.line();
        let s = if line.contains("https://") { "s" } else { "" };
        let address = (line.strip_prefix(&format!("sansocket listens: page http{s}://")))
            .and_then(|rest| rest.split('/').next())
            .and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));
        assert!(line.ends_with(&format!("echo ws{s}://{address}/ws")), "{line}");
        Self { process, address }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).expect("it listens")
    }

    /// What it answers to a request that opens nothing.
    #[track_caller]
    pub(crate) fn exchange(&self, request: &str) -> Exchange {
        Exchange::with(&mut self.connect(), request)
    }

    /// Asks for a WebSocket at /ws, with these further fields. The head of the
    /// answer and the connection.
    #[track_caller]
    pub(crate) fn ask(&self, fields: &str) -> (String, Peer) {
        let mut peer = Peer::of::<Server>(self.connect());
        peer.write(upgrade("/ws", fields).as_bytes());
        let head = read_head(&mut peer.stream);
        (head, peer)
    }

    /// An open WebSocket at /ws.
    #[track_caller]
    pub(crate) fn open(&self) -> Peer {
        let (head, peer) = self.ask("");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        peer
    }
}

/// A request for a WebSocket.
pub(crate) fn upgrade(path: &str, fields: &str) -> String {
    let request = REQUEST.replacen("/chat", path, 1);
    format!("{}{fields}\r\n", request.strip_suffix("\r\n").expect("a head"))
}
