use alloy::primitives::B256;

use super::*;
use crate::contracts::Reporters;
use crate::deploy::{CouncilConfig, DisputesConfig, TimelockConfig};

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
        council: None,
        lister: account(5),
        guardian: account(9),
        dwell_blocks: 32,
        quorum_window_blocks: 21_600,
        assembly_window_blocks: 151_200,
        guardian_delay_blocks: 7_200,
        heavy_bps: 2_500,
        claim_window_s: 604_800,
        ceilings: vec![Ceiling { rung: 3, asset: account(7), most: 1_000 }],
        disputes: None,
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
        certified: false,
        gate: Address::ZERO,
        curator_fee_bps: 0,
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
fn every_rung_is_made_and_wired_once() {
    let plan = plan(&config()).unwrap();
    let rungs = plan.deployment.machines();
    let mut addresses = rungs.map(|(_, address, _)| address).to_vec();
    addresses.sort_unstable();
    addresses.dedup();
    assert_eq!(addresses.len(), rungs.len());
    for (name, address, _) in rungs {
        let step = plan.steps.iter().find(|step| step.name == format!("create {name}")).unwrap();
        assert_eq!(step.done, Done::Code(address), "{name}");
    }
    let wire = plan.steps.iter().find(|step| step.name.starts_with("wire the incidents")).unwrap();
    let call = Incidents::wireCall::abi_decode(&wire.data).unwrap();
    assert_eq!(call.contracts, rungs.map(|(_, address, _)| address));
    assert_eq!(call.rungs, rungs.map(|(_, _, rung)| rung));
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
    assert!(at("name the guardian") < at("give up") && at("set the ceiling") < at("give up"));
    assert!(at("role of admin") + 1 == at("give up"));
    assert!(at("create Factory") < at("wire the catalog") && at("wire the catalog") < at("give up"));
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
    let cases: [(Break, Is); 26] = [
        (|c| c.deployer = Address::ZERO, |e| matches!(e, ConfigError::ZeroAddress(_))),
        (|c| c.timelock.proposers.clear(), |e| matches!(e, ConfigError::NobodyAtTimelock("proposers"))),
        (|c| c.timelock.executors.clear(), |e| matches!(e, ConfigError::NobodyAtTimelock("executors"))),
        (|c| c.dwell_blocks = 0, |e| matches!(e, ConfigError::Range { .. })),
        (|c| c.claim_window_s = 0, |e| matches!(e, ConfigError::Range { .. })),
        (|c| c.quorum_window_blocks = 0, |e| matches!(e, ConfigError::Range { .. })),
        (|c| c.assembly_window_blocks = 0, |e| matches!(e, ConfigError::Range { .. })),
        (|c| c.guardian_delay_blocks = 0, |e| matches!(e, ConfigError::Range { .. })),
        (|c| c.ceilings[0].rung = 0, |e| matches!(e, ConfigError::Range { got: 0, .. })),
        (|c| c.ceilings[0].rung = 4, |e| matches!(e, ConfigError::Range { got: 4, .. })),
        (|c| c.pools.push(c.pools[0].clone()), |e| matches!(e, ConfigError::PoolTwice(_))),
        (|c| c.pools[0].weight_bps[0] += 1, |e| matches!(e, ConfigError::Range { got: 10_001, .. })),
        (|c| c.pools[0].kink = WAD, |e| matches!(e, ConfigError::Range { .. })),
        (|c| c.pools[0].scarcity_full = WAD, |e| matches!(e, ConfigError::Range { .. })),
        (|c| c.pools[0].epoch = 86_399, |e| matches!(e, ConfigError::Range { got: 86_399, .. })),
        (|c| c.pools[0].cooldown = 604_799, |e| matches!(e, ConfigError::Range { got: 604_799, .. })),
        (|c| c.pools[0].cooldown = 7_776_001, |e| matches!(e, ConfigError::Range { got: 7_776_001, .. })),
        (|c| c.pools[0].leverage_bps = 9_999, |e| matches!(e, ConfigError::Range { got: 9_999, .. })),
        (|c| c.pools[0].leverage_bps = 100_001, |e| matches!(e, ConfigError::Range { got: 100_001, .. })),
        (|c| c.pools[0].curator_share_bps = 99, |e| matches!(e, ConfigError::Range { got: 99, .. })),
        (|c| c.pools[0].subordination_bps = 7_001, |e| matches!(e, ConfigError::Range { got: 7_001, .. })),
        (|c| c.pools[0].surplus_bps = 5_001, |e| matches!(e, ConfigError::Range { got: 5_001, .. })),
        (|c| c.pools[0].weight_bps = [9_100, 400, 500], |e| matches!(e, ConfigError::Range { got: 400, .. })),
        (|c| c.pools[0].cost_of_capital = 0, |e| matches!(e, ConfigError::Range { got: 0, .. })),
        (|c| c.pools[0].surge_half_life = 3_599, |e| matches!(e, ConfigError::Range { got: 3_599, .. })),
        (|c| c.pools[0].curator_fee_bps = 2_001, |e| matches!(e, ConfigError::Range { got: 2_001, .. })),
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

fn with_council() -> Config {
    let account = Address::repeat_byte;
    let mut config = config();
    config.timelock.proposers.clear();
    config.timelock.executors.clear();
    config.council = Some(CouncilConfig {
        holder: account(10),
        guardian: account(11),
        identity_registrar: account(12),
        voting_delay_s: 86_400,
        voting_period_s: 432_000,
        extension_s: 172_800,
        threshold: 10_000 * u128::from(WAD),
        quorum_percent: 4,
    });
    config
}

#[test]
fn a_council_owns_the_timelock() {
    let plan = plan(&with_council()).unwrap();
    let to = &plan.deployment;
    let parts = to.governance.as_ref().unwrap();
    assert_eq!(to.timelock, parts.council.create(1));
    let names: Vec<&str> = plan.steps.iter().map(|step| step.name.as_str()).collect();
    assert!(!names.contains(&"create TimelockController"));
    for name in ["create BreakwaterToken", "create Council", "create Identities", "create Signal"] {
        assert!(names.contains(&name), "{name}");
    }
    assert!(names.iter().any(|name| name.contains(&format!("{} the role of lister", to.timelock))));
    let text = serde_json::to_string(to).unwrap();
    assert!(text.contains(r#""threshold":"10000000000000000000000""#), "{text}");
    assert_eq!(&serde_json::from_str::<Deployment>(&text).unwrap(), to);
}

#[test]
fn a_council_has_the_bounds_of_its_contracts() {
    type Break = fn(&mut Config, &mut CouncilConfig);
    type Is = fn(&ConfigError) -> bool;
    let range: Is = |e| matches!(e, ConfigError::Range { .. });
    let zero: Is = |e| matches!(e, ConfigError::ZeroAddress(_));
    let taken: Is = |e| matches!(e, ConfigError::TimelockIsTheCouncils(_));
    let cases: [(Break, Is); 14] = [
        (|_, c| c.holder = Address::ZERO, zero),
        (|_, c| c.identity_registrar = Address::ZERO, zero),
        (|c, _| c.timelock.proposers.push(c.deployer), taken),
        (|c, _| c.timelock.executors.push(c.deployer), taken),
        (|_, c| c.voting_delay_s = 86_399, range),
        (|_, c| c.voting_delay_s = 14 * 86_400 + 1, range),
        (|_, c| c.voting_period_s = 2 * 86_400 - 1, range),
        (|_, c| c.voting_period_s = 30 * 86_400 + 1, range),
        (|_, c| c.extension_s = c.voting_period_s + 1, range),
        (|_, c| c.threshold = 0, range),
        (|_, c| c.threshold = 1_000_000 * u128::from(WAD) + 1, range),
        (|_, c| c.quorum_percent = 1, range),
        (|_, c| c.quorum_percent = 31, range),
        (|c, _| c.timelock.min_delay_s = 30 * 86_400 + 1, range),
    ];
    for (index, (break_it, expected)) in cases.into_iter().enumerate() {
        let mut config = with_council();
        let mut council = config.council.clone().unwrap();
        break_it(&mut config, &mut council);
        config.council = Some(council);
        match plan(&config) {
            Err(PlanError::Config(error)) => assert!(expected(&error), "case {index}: {error}"),
            other => panic!("case {index}: {other:?}"),
        }
    }
    let mut config = with_council();
    config.council.as_mut().unwrap().guardian = Address::ZERO;
    assert!(plan(&config).is_ok());
}

fn disputes() -> DisputesConfig {
    DisputesConfig {
        bond_asset: Address::repeat_byte(0x20),
        sink: Address::repeat_byte(0x21),
        quorum: 3,
        min_bond: 100_000_000_000,
        unbond_delay_s: 45 * 86_400,
        prover_bps: 3_000,
        report_bond: 50_000_000_000,
        challenge_bond: 5_000_000_000,
        stake_token: Address::repeat_byte(0x22),
        commit_time_s: 2 * 86_400,
        reveal_time_s: 2 * 86_400,
        unstake_delay_s: 14 * 86_400,
        stake_quorum_bps: 1_000,
        slash_bps: 1_000,
    }
}

#[test]
fn disputes_have_their_contracts_and_rungs() {
    assert_eq!(plan(&config()).unwrap().deployment.disputes, None);
    let config = Config { disputes: Some(disputes()), ..config() };
    let plan = plan(&config).unwrap();
    let made = plan.deployment.disputes.clone().unwrap();
    let step = |part: &str| plan.steps.iter().position(|step| step.name.contains(part)).unwrap();
    let wire = Incidents::wireCall::abi_decode(&plan.steps[step("wire the incidents")].data).unwrap();
    let machines = plan.deployment.machines().map(|(_, address, _)| address);
    assert_eq!(wire.contracts, [machines.as_slice(), &[made.quorum_rung, made.assembly]].concat());
    assert_eq!(wire.rungs, [0, 1, 1, 1, 2, 3, 4]);
    let users = Reporters::wireCall::abi_decode(&plan.steps[step("wire the reporters")].data).unwrap();
    assert_eq!(users.users, [made.quorum_rung, made.breaker]);
    assert_eq!(made.judges, made.breaker.create(1));
    assert!(step("create Assembly") < step("wire the incidents"));
    assert!(step("wire the reporters") < step("give up"));
    assert!(
        [made.reporters, made.quorum_rung, made.assembly, made.breaker, made.judges]
            .iter()
            .all(|contract| plan.deployment.contracts().contains(contract))
    );
    let text = serde_json::to_string(&plan.deployment).unwrap();
    assert_eq!(serde_json::from_str::<Deployment>(&text).unwrap(), plan.deployment);
}

#[test]
fn what_the_contracts_of_disputes_refuse_is_refused_before() {
    type Break = fn(&mut DisputesConfig);
    let cases: [(Break, &str); 17] = [
        (|c| c.bond_asset = Address::ZERO, "bondAsset"),
        (|c| c.sink = Address::ZERO, "sink"),
        (|c| c.stake_token = Address::ZERO, "stakeToken"),
        (|c| c.quorum = 0, "quorum"),
        (|c| c.quorum = 33, "quorum"),
        (|c| (c.min_bond, c.report_bond) = (0, 0), "minBond"),
        (|c| c.prover_bps = 5_001, "proverBps"),
        (|c| c.report_bond = c.min_bond + 1, "reportBond"),
        (|c| c.challenge_bond = 0, "challengeBond"),
        (|c| c.unbond_delay_s = 604_800 + 15 * (21_600 + 151_200) - 1, "unbondDelayS"),
        (|c| c.commit_time_s = 3_599, "commitTimeS"),
        (|c| c.reveal_time_s = 14 * 86_400 + 1, "revealTimeS"),
        (|c| c.unstake_delay_s = 8 * 86_400 - 1, "unstakeDelayS"),
        (|c| c.unstake_delay_s = 180 * 86_400 + 1, "unstakeDelayS"),
        (|c| c.stake_quorum_bps = 0, "stakeQuorumBps"),
        (|c| c.slash_bps = 0, "slashBps"),
        (|c| c.slash_bps = 10_001, "slashBps"),
    ];
    for (break_it, field) in cases {
        let mut disputes = disputes();
        break_it(&mut disputes);
        match plan(&Config { disputes: Some(disputes), ..config() }) {
            Err(PlanError::Config(error)) => {
                assert!(error.to_string().contains(&format!("disputes.{field} ")), "{field}: {error}");
            }
            other => panic!("{field}: {other:?}"),
        }
    }
}
