//! A model that is served without a room, by what serves a room's model.

use std::sync::Arc;

use access::{Denied, Endpoint};
use axum::Json;
use axum::body::Bytes;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use protocol::{Code, Problem};
use synthesis::Model;

use crate::columns::all_columns_reply;
use crate::reply::{Refusal, Reply};
use crate::router::{formats, no_parameters, problem_of, report_form, report_reply};
use crate::samples::SampleRequest;
use crate::training::reports;

/// A fitted model on its owner's machine, which answers as a room does: `/samples`, `/report`,
/// `/columns` and `/formats`. All of it is post-processing of what the fit has paid for.
pub struct ServedModel {
    model: Arc<Model>,
    report: Bytes,
    report_page: Bytes,
}

impl ServedModel {
    /// Prepares the reports of the model.
    ///
    /// # Errors
    /// Of serialisation, for a report that JSON cannot hold.
    pub fn new(model: Model) -> serde_json::Result<Self> {
        let (report, report_page) = reports(&model)?;
        Ok(Self {
            model: Arc::new(model),
            report,
            report_page,
        })
    }

    /// Answers a request as a room would; a body is not read, as none of these paths takes one.
    pub async fn answer(&self, method: &Method, uri: &Uri) -> Response {
        self.reply(method, uri)
            .await
            .unwrap_or_else(IntoResponse::into_response)
    }

    async fn reply(&self, method: &Method, uri: &Uri) -> Reply<Response> {
        let served = [
            Endpoint::Samples,
            Endpoint::Report,
            Endpoint::Columns,
            Endpoint::Formats,
        ];
        let endpoint = Endpoint::at(uri.path()).filter(|endpoint| served.contains(endpoint));
        let Some(endpoint) = endpoint else {
            let detail = "There is nothing at this path; a model alone answers /samples, /report, \
                          /columns and /formats.";
            return Err(Problem::new(Code::NotFound, detail).into());
        };
        if method != Method::GET {
            let allowed = endpoint.methods();
            return Err(Refusal::method(
                problem_of(&Denied::Method { allowed }),
                allowed,
            ));
        }
        match endpoint {
            Endpoint::Samples => {
                // Nobody else waits for this machine's processor.
                let request = SampleRequest::from_uri(uri, u64::MAX)?;
                let wanted = request.of(&self.model)?;
                let (response, _) = wanted.stream(Arc::clone(&self.model), ()).await?;
                Ok(response)
            }
            Endpoint::Report => {
                let form = report_form(uri)?;
                Ok(report_reply(form, &self.report, &self.report_page))
            }
            Endpoint::Columns => {
                no_parameters(uri)?;
                Ok(Json(all_columns_reply(self.model.schema())).into_response())
            }
            _ => Ok(formats(uri.clone()).await.into_response()),
        }
    }
}
