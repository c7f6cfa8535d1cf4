//! `/columns`: declared or privately discovered categories only.

use protocol::{Code, ColumnsReply};

use crate::test_room::{DECLARED, TestRoom, alice, bob};

#[tokio::test]
async fn declared_columns_are_known_at_once_as_a_table_to_show() {
    let room = TestRoom::open(DECLARED);
    let mine = room.get("Alice", "/columns?party=mine").await.value();
    assert_eq!(mine["user"], "Alice");
    assert_eq!(
        mine["columns"],
        serde_json::json!(["Alice_buying", "Alice_age"])
    );
    assert_eq!(mine["rows"][0], serde_json::json!(["low", "0 to 9"]));
    assert_eq!(mine["rows"][9], serde_json::json!(["", "90 to 99"]));
    assert_eq!(mine["rows"].as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn mine_theirs_and_a_name_are_three_ways_to_say_whose() {
    let room = TestRoom::open(DECLARED);
    let of = |user: &'static str, party: &'static str| {
        let room = &room;
        async move {
            room.get(user, &format!("/columns{party}"))
                .await
                .json::<ColumnsReply>()
        }
    };
    let bobs = of("Bob", "?party=mine").await;
    assert_eq!(bobs.user, "Bob");
    assert_eq!(bobs.rows, [["yes"], ["no"]]);
    assert_eq!(of("Alice", "?party=theirs").await, bobs);
    assert_eq!(of("Alice", "?party=Bob").await, bobs);
    assert_eq!(of("Bob", "").await, bobs);
    let problem = room
        .get("Alice", "/columns?party=Mallory")
        .await
        .refused(Code::UnknownParty);
    assert_eq!(problem.detail, "`party` must name one party: Alice, Bob.");
}

#[tokio::test]
async fn what_a_table_holds_beyond_the_declaration_does_not_show() {
    let room = TestRoom::open(DECLARED);
    let before = room.get("Bob", "/columns?party=theirs").await.ok();
    let odd = alice().replacen("5,high", "5,unheard-of", 1);
    room.train(&[("Alice", &odd), ("Bob", &bob())]).await;
    assert_eq!(room.get("Bob", "/columns?party=theirs").await.ok(), before);
}
