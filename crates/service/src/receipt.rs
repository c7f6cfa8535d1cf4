//! The receipt of a room, and the evidence for it.

use std::sync::Arc;

use protocol::{
    Code, KeyFingerprint, Problem, RECEIPT_VERSION, Receipt, ReceiptParty, SignedReceipt,
    receipt_user_data,
};

use crate::event::RoomEvent;
use crate::reply::internal;
use crate::room::Room;
use crate::training::Fitted;

/// The receipt as it now is. The platform is asked only if it has changed since it was last vouched
/// for.
pub(crate) async fn signed_receipt(room: &Arc<Room>) -> Result<SignedReceipt, Problem> {
    let fitted = room.fitted()?;
    // Held while the platform is asked, so that requests at the same time ask it once.
    let mut last = room.receipt.lock().await;
    let text = receipt(room, &fitted)?.to_text();
    if let Some(signed) = last.as_ref().filter(|signed| signed.receipt == text) {
        return Ok(signed.clone());
    }
    let attest = Arc::clone(&room.attest);
    let user_data = receipt_user_data(&text);
    let evidence = tokio::task::spawn_blocking(move || attest(&user_data))
        .await
        .map_err(|_| internal())?
        .map_err(|_| {
            Problem::new(
                Code::Unavailable,
                "The platform gives no evidence at present; try again later.",
            )
        })?;
    room.tell(RoomEvent::ReceiptIssued);
    let signed = SignedReceipt::new(text, &evidence);
    *last = Some(signed.clone());
    Ok(signed)
}

fn receipt(room: &Room, fitted: &Fitted) -> Result<Receipt, Problem> {
    let agreement = room.agreement();
    let parties = agreement
        .parties()
        .iter()
        .zip(room.commitments())
        .map(|(party, input)| {
            let user = agreement
                .policy()
                .users()
                .iter()
                .find(|user| user.name() == party.name())?;
            Some(ReceiptParty {
                name: party.name().to_owned(),
                key: KeyFingerprint::of_key(user.key().spki()),
                input: input?,
            })
        });
    Ok(Receipt {
        version: RECEIPT_VERSION,
        room: room.id(),
        agreement_sha384: agreement.sha384(),
        parties: parties.collect::<Option<_>>().ok_or_else(internal)?,
        method: agreement.method().to_string(),
        params: agreement.params().clone(),
        ledger: fitted.ledger.clone(),
        model: fitted.model_digest,
        samples: room.samples(),
    })
}
