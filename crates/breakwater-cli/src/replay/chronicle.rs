//! What became of incidents, from the logs of the contracts alone.

use std::collections::BTreeMap;

use alloy::primitives::{B256, U256};
use alloy::rpc::types::{Filter, Log};
use alloy::sol_types::SolEventInterface;
use breakwater_bindings::contracts::{Incidents, Policies};

use crate::local::Local;
use crate::market::Market;
use crate::replay::report::Happened;
use crate::trouble::Trouble;

/// Every incident of the chain, in order of their ids.
pub(crate) async fn incidents(local: &Local, market: &Market) -> Result<Vec<Happened>, Trouble> {
    let deployment = &market.deployment;
    let filter = Filter::new().address(vec![deployment.incidents, deployment.policies]);
    let head = local.head().await?.number();
    let mut found = BTreeMap::new();
    for log in local.endpoints().logs(0..=head, &filter).await? {
        let number = log.block_number.unwrap_or_default();
        if log.address() == deployment.incidents {
            if let Ok(event) = Incidents::IncidentsEvents::decode_log(&log.inner) {
                take_incident(local, &mut found, event.data, number, &log).await?;
            }
        } else if let Ok(event) = Policies::PoliciesEvents::decode_log(&log.inner)
            && let Policies::PoliciesEvents::Settled(settled) = event.data
            && settled.paid > U256::ZERO
            && let Some(incident) = found.get_mut(&settled.incident)
            && incident.settled.is_none()
        {
            incident.settled = Some((number, gas_of(local, &log).await?));
        }
    }
    Ok(found.into_values().collect())
}

async fn take_incident(
    local: &Local,
    found: &mut BTreeMap<U256, Happened>,
    event: Incidents::IncidentsEvents,
    number: u64,
    log: &Log,
) -> Result<(), Trouble> {
    match event {
        Incidents::IncidentsEvents::Opened(opened) => {
            let happened = Happened {
                gauge: opened.gauge,
                onset: opened.m.onset,
                opened: number,
                gas_report: gas_of(local, log).await?,
                settled: None,
                loss: opened.m.loss,
                is_final: false,
            };
            found.insert(opened.id, happened);
        }
        Incidents::IncidentsEvents::Revised(revised) => {
            if let Some(incident) = found.get_mut(&revised.id) {
                incident.onset = revised.m.onset;
                incident.loss = revised.m.loss;
            }
        }
        Incidents::IncidentsEvents::Finalised(finalised) => {
            if let Some(incident) = found.get_mut(&finalised.id) {
                incident.is_final = true;
            }
        }
        _ => {}
    }
    Ok(())
}

async fn gas_of(local: &Local, log: &Log) -> Result<u64, Trouble> {
    let hash: B256 = log.transaction_hash.unwrap_or_default();
    let receipt = local.endpoints().receipt(hash).await?;
    Ok(receipt.map_or(0, |receipt| receipt.gas_used))
}
