use alloy::primitives::B256;

use super::*;
use crate::deploy::TimelockConfig;

pub(crate) fn config() -> Config {
    let account = Address::repeat_byte;
    Config {
        chain_id: 31_337,
        deployer: account(1),
        salt: B256::repeat_byte(2),
        timelock: TimelockConfig {
            min_delay_s: 86_400,
            proposers: vec![account(3)],
            executors: vec![account(4)],
        },
        lister: account(5),
        dwell_blocks: 32,
        claim_window_s: 604_800,
        pools: vec![pool("one")],
    }
}

fn pool(name: &str) -> PoolConfig {
    PoolConfig {
        name: name.to_owned(),
        asset: Address::repeat_byte(7),
        curator: Address::repeat_byte(8),
        epoch: 604_800,
        cooldown: 604_800,
        leverage_bps: 40_000,
        curator_share_bps: 500,
        subordination_bps: 2_000,
        surplus_bps: 1_000,
        weight_bps: [5_000, 3_000, 2_000],
        cost_of_capital: 100_000_000_000_000_000,
        kink: 800_000_000_000_000_000,
        scarcity_kink: 1_500_000_000_000_000_000,
        scarcity_full: 4_000_000_000_000_000_000,
        surge_slope: 1_000_000_000_000_000_000,
        surge_max: 3_000_000_000_000_000_000,
        surge_half_life: 86_400,
    }
}

#[test]
fn addresses_follow_from_the_configuration_alone() {
    let one = plan(&config()).unwrap();
    assert_eq!(one, plan(&config()).unwrap());
    let mut other = config();
    other.salt = B256::repeat_byte(3);
    assert_ne!(one.deployment.timelock, plan(&other).unwrap().deployment.timelock);
    let mut other = config();
    other.dwell_blocks += 1;
    let other = plan(&other).unwrap().deployment;
    assert_eq!(one.deployment.access_manager, other.access_manager);
    assert_ne!(one.deployment.policies, other.policies);
}

#[test]
fn pools_of_the_same_terms_differ_by_name() {
    let mut two = config();
    two.pools.push(pool("two"));
    let plan = plan(&two).unwrap();
    assert_eq!(plan.deployment.pools.len(), 2);
    assert_ne!(plan.deployment.pools["one"], plan.deployment.pools["two"]);
    let last = plan.steps.last().unwrap();
    assert_eq!((last.sender, last.to), (two.deployer, plan.deployment.factory));
}

#[test]
fn the_admin_role_is_given_up_last_before_the_pools() {
    let plan = plan(&config()).unwrap();
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    let at =
        |part: &str| names.iter().position(|name| name.contains(part)).unwrap_or_else(|| panic!("{part}"));
    assert!(at("create TimelockController") < at("create AccessManager"));
    assert!(at("create ProofRung") < at("wire the incidents"));
    assert!(at("wire the incidents") < at("role of lister"));
    assert!(at("role of admin") + 1 == at("give up"));
    assert!(at("create Factory") < at("role of registrar"));
    assert!(at("give up") < at("make pool"));
    assert!(names[at("make pool")..].iter().all(|name| name.starts_with("make pool")));
}

#[test]
fn json_round_trips_and_unknown_fields_are_refused() {
    let deployment = plan(&config()).unwrap().deployment;
    let text = serde_json::to_string_pretty(&deployment).unwrap();
    assert!(text.contains(r#""kink": "800000000000000000""#), "{text}");
    assert_eq!(serde_json::from_str::<Deployment>(&text).unwrap(), deployment);
    let extra = text.replacen("\"chainId\"", "\"extra\": 1, \"chainId\"", 1);
    assert!(serde_json::from_str::<Deployment>(&extra).is_err());
}

#[test]
fn what_constructors_refuse_is_refused_before() {
    type Break = fn(&mut Config);
    type Is = fn(&ConfigError) -> bool;
    let cases: [(Break, Is); 9] = [
        (|c| c.deployer = Address::ZERO, |e| matches!(e, ConfigError::ZeroAddress(_))),
        (|c| c.timelock.proposers.clear(), |e| matches!(e, ConfigError::NobodyAtTimelock("proposers"))),
        (|c| c.timelock.executors.clear(), |e| matches!(e, ConfigError::NobodyAtTimelock("executors"))),
        (|c| c.dwell_blocks = 0, |e| matches!(e, ConfigError::Range { .. })),
        (|c| c.claim_window_s = 0, |e| matches!(e, ConfigError::Range { .. })),
        (|c| c.pools.push(c.pools[0].clone()), |e| matches!(e, ConfigError::PoolTwice(_))),
        (|c| c.pools[0].weight_bps[0] += 1, |e| matches!(e, ConfigError::Range { got: 10_001, .. })),
        (|c| c.pools[0].kink = WAD, |e| matches!(e, ConfigError::Range { .. })),
        (|c| c.pools[0].scarcity_full = WAD, |e| matches!(e, ConfigError::Range { .. })),
    ];
    for (index, (break_it, expected)) in cases.into_iter().enumerate() {
        let mut config = config();
        break_it(&mut config);
        match plan(&config) {
            Err(PlanError::Config(error)) => assert!(expected(&error), "case {index}: {error}"),
            other => panic!("case {index}: {other:?}"),
        }
    }
}

const WAD: u64 = 1_000_000_000_000_000_000;
