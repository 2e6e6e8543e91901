// A disk that is full, and one that does not keep what it was given (fault_vfs.h).
import assert from 'node:assert/strict';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryDir } from '../kit/places.ts';
import { Rig, type Answer } from './rig.ts';

const TIMEOUT = { timeout: 120_000 };

/** A rig whose disk obeys: `disk('space 0')`, `disk('fsync fails')`, `disk('fine')`. */
async function withDisk(test: (rig: Rig, disk: (order: string) => void) => Promise<void>): Promise<void> {
    const dir = temporaryDir('disk');
    const control = join(dir, 'control');
    const disk = (order: string) => writeFileSync(control, order.padEnd(32));
    disk('fine');
    const rig = await Rig.create('sqlite', { TOUCHPOINT_FAULT_VFS: 'powercut', TOUCHPOINT_FAULT_CONTROL: control });
    try {
        await test(rig, disk);
    } finally {
        await rig.remove();
        rmSync(dir, { recursive: true, force: true });
    }
}

function bytesUsed(rig: Rig): number {
    const files = readdirSync(rig.site.dataDir).filter((name) => /\.db(-wal)?$/.test(name));
    return files.reduce((sum, name) => sum + statSync(join(rig.site.dataDir, name)).size, 0);
}

async function until(what: string, holds: () => boolean): Promise<void> {
    for (const end = Date.now() + 30_000; !holds(); await sleep(10)) assert.ok(Date.now() < end, what);
}

test('a full disk refuses writes, answers reads, and serves again when it has room', TIMEOUT, () =>
    withDisk(async (rig, disk) => {
        const refusals: Answer[] = [];
        const load = rig.load((answer) => refusals.push(answer));
        for (let i = 0; i < 2; i++) {
            const before = refusals.length;
            await until('the load writes', () => rig.ledger.acknowledged > (i + 1) * 50);
            disk(`space ${bytesUsed(rig) + 100_000}`);
            await until('the disk is full', () => refusals.length >= before + 40);

            for (const answer of refusals) {
                assert.equal(answer.headers['content-type'], 'application/problem+json');
                assert.ok(Number(answer.headers['retry-after']) >= 1);
                assert.equal(answer.body.status, 503);
                assert.match(answer.body.detail, /full|nothing was changed/);
            }
            assert.equal((await rig.victim.request('GET', '//healthz')).status, 200);
            assert.equal((await rig.victim.request('GET', '//readyz')).status, 503);
            const page = await rig.victim.request('GET', '/interactions');
            assert.equal(page.status, 200);
            assert.ok(page.body.total > 0);
            const [read] = page.body.data;
            assert.equal((await rig.victim.request('GET', `/interactions/${read.id}`)).status, 200);

            const acknowledged = rig.ledger.acknowledged;
            disk('fine');
            await rig.victim.becomesReady(10_000);
            await until('it writes again', () => rig.ledger.acknowledged > acknowledged + 50);
        }
        await load.stop();
        await rig.victim.stop();
        assert.deepEqual(await rig.auditLeft(), { lost: [], torn: [] });
    }));

test('a full disk that has room again is noticed without a write', TIMEOUT, () =>
    withDisk(async (rig, disk) => {
        disk('space 0');
        const body = { name: 'One too many' };
        assert.equal((await rig.victim.request('POST', '/customers', body)).status, 503);
        assert.equal((await rig.victim.request('GET', '//readyz')).status, 503);
        disk('fine');
        await rig.victim.becomesReady(10_000);
        assert.equal((await rig.victim.request('POST', '/customers', body)).status, 201);
    }));

test('killed while the disk is full, it has lost nothing', TIMEOUT, () =>
    withDisk(async (rig, disk) => {
        const load = rig.load();
        await until('the load writes', () => rig.ledger.acknowledged > 50);
        disk('space 0');
        await until('the disk is full', () => rig.ledger.refused > 20);
        await rig.victim.kill();
        await load.done;
        disk('fine');
        assert.deepEqual(await rig.auditLeft(), { lost: [], torn: [] });
        await rig.restart();
    }));

test('after a failed fsync nothing is acknowledged, and the server ends', TIMEOUT, () =>
    withDisk(async (rig, disk) => {
        const load = rig.load();
        await until('the load writes', () => rig.ledger.acknowledged > 50);
        disk('fsync fails');
        const { code, stderr } = await rig.victim.ends(10_000);
        assert.equal(code, 1);
        assert.match(stderr, /did not keep what was written/);
        await load.done;
        disk('fine');
        assert.deepEqual(await rig.auditLeft(), { lost: [], torn: [] });
        await rig.restart();
    }));
