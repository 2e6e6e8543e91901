// kill -9 at random moments under concurrent writes: nothing that was acknowledged is lost,
// nothing is half-written, and the server is ready again. The same when the power goes: then
// what was not synced is gone. Each rig must catch a server that is broken on purpose.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Store } from '../kit/stores.ts';
import { Rig, type Faults, type Findings } from './rig.ts';

const TIMEOUT = { timeout: 150_000 };

/** Rounds on one store, with a fresh one every ten, since the audits take as long as it is large. */
async function survives(store: Store, rounds: number, faults: (site: number) => Faults | null): Promise<void> {
    for (let done = 0, site = 0; done < rounds; site++) {
        const rig = await Rig.create(store, faults(site));
        try {
            for (let i = 0; i < 10 && done < rounds; i++, done++) {
                const { lost, torn } = await rig.round();
                assert.deepEqual({ lost, torn }, { lost: [], torn: [] }, `after kill ${done + 1}`);
            }
        } finally {
            await rig.remove();
        }
    }
}

/** What the first round with a finding found. */
async function isCaught(store: Store, faults: Faults, roundsMax: number): Promise<Findings> {
    const rig = await Rig.create(store, faults);
    try {
        for (let i = 0; i < roundsMax; i++) {
            const findings = await rig.round();
            if (findings.lost.length > 0) return findings;
        }
    } finally {
        await rig.remove();
    }
    throw new Error(`${JSON.stringify(faults)} was not caught in ${roundsMax} rounds`);
}

test('SQLite: 50 kills lose nothing', TIMEOUT, () => survives('sqlite', 50, () => null));

test('PostgreSQL: 10 kills of a node lose nothing', TIMEOUT, () => survives('postgres', 10, () => null));

test('SQLite: power cuts lose nothing', TIMEOUT, () =>
    survives('sqlite', 20, (site) => ({
        TOUCHPOINT_FAULT_VFS: 'powercut',
        // Nothing but what was synced; then, some of the rest as well.
        TOUCHPOINT_FAULT_EARLY: String(site * 40),
        TOUCHPOINT_FAULT_SEED: String(Date.now()),
    })));

test('control: acknowledging before the commit is caught on SQLite', TIMEOUT, async () => {
    await isCaught('sqlite', { TOUCHPOINT_FAULT_UNSAFE: 'ack-before-commit' }, 60);
});

test('control: acknowledging before the commit is caught on PostgreSQL', TIMEOUT, async () => {
    await isCaught('postgres', { TOUCHPOINT_FAULT_UNSAFE: 'ack-before-commit' }, 60);
});

test('control: writing without fsync is caught by a power cut', TIMEOUT, async () => {
    const faults: Faults = { TOUCHPOINT_FAULT_VFS: 'powercut', TOUCHPOINT_FAULT_UNSAFE: 'synchronous-off' };
    await isCaught('sqlite', faults, 5);
});
