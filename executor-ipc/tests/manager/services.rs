//! Types of the user's.

use executor_ipc::manager::__private::call_method;
use executor_ipc::manager::{Dict, ManagerError};

use crate::Test;
use crate::board::BoardProxy;
use crate::child::Host;

pub(crate) const TESTS: &[Test] = &[
    ("typed_methods_and_typed_errors", typed_methods_and_typed_errors),
    ("only_exposed_methods_are_callable", only_exposed_methods_are_callable),
    ("a_panic_is_an_error_and_no_more", a_panic_is_an_error_and_no_more),
    ("constructors_run_in_the_server", constructors_run_in_the_server),
    ("a_service_goes_with_its_last_proxy", a_service_goes_with_its_last_proxy),
];

/// Law 260: errors of a method arrive with their type, and so do those of the call.
fn typed_methods_and_typed_errors(host: Host) {
    let hosted = host.start();
    let board = BoardProxy::new(&hosted.manager, 10).unwrap();
    assert_eq!(board.add("a", 7).unwrap(), Ok(7));
    assert_eq!(board.clone().add("a", 7).unwrap(), Err(4));
    assert_eq!(board.all().unwrap(), [("a".to_owned(), 7)]);
    board.nothing().unwrap();
    let named = BoardProxy::with_names(&hosted.manager, &["x".to_owned(), "y".to_owned()]).unwrap();
    assert_eq!(named.all().unwrap().len(), 2);
    hosted.manager.publish("board", &board).unwrap();
    let found: BoardProxy = hosted.manager.find("board").unwrap();
    assert_eq!(found.calls().unwrap(), 2);
    let error = hosted.manager.find::<Dict<u8, u8>>("board").unwrap_err();
    assert!(
        matches!(&error, ManagerError::WrongKind { expected, found, .. } if expected == "dict" && found.ends_with("Board"))
    );
    drop((board, named, found));
    hosted.end();
}

/// Law 260: only exposed methods are callable; others give a remote error.
fn only_exposed_methods_are_callable(host: Host) {
    let hosted = host.start();
    let board = BoardProxy::new(&hosted.manager, 10).unwrap();
    for method in ["secret", "new", "drop", "", "Add"] {
        let error = call_method::<_, ()>(&board, method, &()).unwrap_err();
        let ManagerError::UnknownMethod { service, method: named } = &error else { panic!("{error:?}") };
        assert!(service.ends_with("Board") && named == method, "{error}");
    }
    assert_eq!(board.calls().unwrap(), 0);
    // Arguments that are not those of the method.
    let error = call_method::<_, ()>(&board, "add", &(1_u8,)).unwrap_err();
    assert!(matches!(error, ManagerError::Arguments { .. }), "{error:?}");
    let error = call_method::<_, ()>(&board, "calls", &(1_u8,)).unwrap_err();
    assert!(matches!(&error, ManagerError::Arguments { cause, .. } if cause.contains("left over")), "{error:?}");
    drop(board);
    hosted.end();
}

fn a_panic_is_an_error_and_no_more(host: Host) {
    std::panic::set_hook(Box::new(|_| {}));
    let hosted = host.start();
    let board = BoardProxy::new(&hosted.manager, 10).unwrap();
    for round in 0..50 {
        let error = board.panic(format!("round {round}")).unwrap_err();
        assert!(
            matches!(&error, ManagerError::Panicked { message, .. } if *message == format!("round {round}")),
            "{error:?}"
        );
        assert!(matches!(board.panic_twice(), Err(ManagerError::Panicked { .. })));
    }
    if host == Host::Thread {
        // A constructor too. Elsewhere its panic would be printed.
        assert!(matches!(BoardProxy::broken(&hosted.manager), Err(ManagerError::Panicked { .. })));
    }
    assert_eq!(board.add("a", 1).unwrap(), Ok(1));
    assert_eq!(hosted.manager.stats().unwrap().connections, 1);
    drop(std::panic::take_hook());
    drop(board);
    hosted.end();
}

/// Law 263: what makes an object runs in the server.
fn constructors_run_in_the_server(host: Host) {
    let hosted = host.start();
    let board = BoardProxy::new(&hosted.manager, 10).unwrap();
    let server = hosted.process.as_ref().map_or(std::process::id(), |process| process.id());
    assert_eq!(board.process().unwrap(), server);
    drop(board);
    hosted.end();
}

fn a_service_goes_with_its_last_proxy(host: Host) {
    let hosted = host.start();
    let board = BoardProxy::new(&hosted.manager, 10).unwrap();
    let keeper: Dict<u8, BoardProxy> = hosted.manager.dict().unwrap();
    keeper.insert(&1, &board).unwrap();
    drop(board);
    assert_eq!(keeper.get(&1).unwrap().unwrap().add("a", 1).unwrap(), Ok(1));
    drop(keeper.remove(&1).unwrap());
    crate::eventually("the board is gone", || hosted.manager.stats().unwrap().objects == 1);
    drop(keeper);
    hosted.end();
}
