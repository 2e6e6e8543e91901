// The commands beside serve: alone with the store, and beside a server that holds it.
import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { binary, temporaryDir } from '../kit/places.ts';
import { run, runOk } from '../kit/process.ts';
import { Server, Site } from '../kit/server.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

/** Every command, and the options that are its own. */
const commands: Record<string, string[]> = {
    serve: ['listen', 'demo', 'db-connections', 'tls-certificate', 'tls-key', 'trust-proxy', 'public-url', 'quiet', 'audit-key'],
    migrate: [],
    import: ['tenant', 'mapping'],
    backup: [],
    restore: [],
    'tenant create': ['slug', 'timezone', 'admin', 'admin-name', 'key'],
    'tenant list': [],
    'user invite': ['tenant', 'name', 'role'],
    'user list': ['tenant'],
    'user reset': ['tenant'],
    'user password': ['tenant'],
    'user deactivate': ['tenant', 'reassign-to'],
    'key create': ['tenant', 'name', 'role', 'expires-at'],
    'key list': ['tenant'],
    'key revoke': ['tenant'],
    'audit checkpoint': ['tenant', 'audit-key', 'out'],
    'audit verify': ['tenant', 'checkpoint'],
    'export timeline': ['tenant', 'format', 'out', 'view', 'from', 'to'],
};
const shared = ['config', 'data', 'db', 'db-file', 'db-pooled'];

async function sqlite(path: string, sql: string): Promise<string> {
    return (await runOk('sqlite3', ['-batch', '-bail', path], { input: sql })).stdout.trim();
}

describe('help', () => {
    test('the program names every command', async () => {
        const { stdout } = await runOk(binary, ['--help']);
        const named = stdout.split('\n').map((line) => /^  ([a-z]+(?: [a-z]+)?)  +\S/.exec(line)?.[1]);
        assert.deepEqual(named.filter(Boolean).sort(), Object.keys(commands).sort());
    });

    for (const [command, own] of Object.entries(commands)) {
        test(`${command} --help names every option, its variable and its default`, async () => {
            const { stdout } = await runOk(binary, [...command.split(' '), '--help']);
            const named = [...stdout.matchAll(/^  --([a-z-]+)/gm)].map((match) => match[1]!);
            for (const name of [...shared, ...own]) assert.ok(named.includes(name), `${name} is not in\n${stdout}`);
            for (const name of named)
                assert.ok(stdout.includes(`(TOUCHPOINT_${name.toUpperCase().replaceAll('-', '_')}`), name);
            assert.match(stdout, /TOUCHPOINT_DATA; default touchpoint-data\)/);
        });
    }

    test('what is misspelt is told, and ends with 2', async () => {
        const cases: [string[], RegExp][] = [
            [[], /COMMAND/],
            [['sevre'], /there is no command sevre/],
            [['serve', '--lisen', ':0'], /there is no option --lisen/],
            [['serve', '--listen'], /--listen needs a value/],
            [['serve', '--listen', 'nowhere'], /ADDRESS:PORT/],
            [['serve', 'more'], /see --help/],
            [['backup'], /see --help/],
            [['restore', 'a', 'b'], /see --help/],
            [['serve', '--db', 'postgresql://x', '--db-file', 'y'], /not both/],
        ];
        for (const [args, says] of cases) {
            const { code, stdout, stderr } = await run(binary, args);
            assert.equal(code, 2, args.join(' '));
            assert.match(stdout + stderr, says);
        }
    });
});

describe('configuration', () => {
    let dir: string;
    before(() => {
        dir = temporaryDir('cfg');
    });
    after(() => rmSync(dir, { recursive: true, force: true }));

    const migrate = (args: string[], variables: object = {}) =>
        run(binary, ['migrate', ...args], { cwd: dir, env: { PATH: process.env['PATH'], ...variables } });
    const exists = (name: string) => statSync(join(dir, name, 'touchpoint.db'), { throwIfNoEntry: false }) !== undefined;

    test('a flag comes before the environment, and that before the file', async () => {
        const config = join(dir, 'touchpoint.conf');
        writeFileSync(config, `# where it is\ndata = ${dir}/from-file\nlisten = for another command\n`);
        assert.equal((await migrate(['--config', config])).code, 0);
        assert.ok(exists('from-file'));
        assert.equal((await migrate([], { TOUCHPOINT_CONFIG: config, TOUCHPOINT_DATA: `${dir}/from-environment` })).code, 0);
        assert.ok(exists('from-environment'));
        const variables = { TOUCHPOINT_CONFIG: config, TOUCHPOINT_DATA: `${dir}/unused` };
        assert.equal((await migrate(['--data', `${dir}/from-flag`], variables)).code, 0);
        assert.ok(exists('from-flag'));
        assert.ok(!exists('unused'));
        assert.equal((await migrate([])).code, 0);
        assert.ok(exists('touchpoint-data'));
        assert.equal(statSync(join(dir, 'from-flag')).mode & 0o777, 0o700);
        assert.equal(statSync(join(dir, 'from-flag', 'touchpoint.db')).mode & 0o777, 0o600);
    });

    test('the address of the store comes from a file, and is not told', async () => {
        const secret = join(dir, 'secret');
        writeFileSync(secret, 'postgresql://user:hidden@127.0.0.1:1/none\n');
        for (const args of [['--db-file', secret], ['--db-file', join(dir, 'missing')]]) {
            const { code, stdout, stderr } = await migrate(args);
            assert.notEqual(code, 0);
            assert.doesNotMatch(stdout + stderr, /hidden/);
            assert.match(stderr, /touchpoint: /);
        }
    });
});

forEachStore((store) => {
    /** Both ways to the data: by the server's socket, and alone. */
    for (const beside of [true, false]) {
        describe(beside ? 'beside a server' : 'without a server', () => {
            let site: Site;
            let server: Server | undefined;
            before(async () => {
                site = await Site.create(store);
                if (beside) server = await Server.start(site);
            });
            after(async () => {
                await server?.stop();
                await site.remove();
            });

            const refused = async (says: RegExp, ...args: string[]) => {
                const { code, stdout, stderr } = await site.command(...args);
                assert.equal(code, 1, stdout + stderr);
                assert.match(stderr, says);
                assert.equal(stdout, '');
            };

            test('tenants, users and keys', async () => {
                await refused(/tenant/, 'user', 'list');
                const made = await site.commandJson('tenant', 'create', 'Größe & Söhne', '--slug', 'gs', '--timezone', 'Europe/Berlin', '--admin', 'boss@gs.example', '--admin-name', 'The Boss', '--key');
                assert.equal(made.tenant.slug, 'gs');
                assert.equal(made.tenant.timezone, 'Europe/Berlin');
                assert.equal(made.user.name, 'The Boss');
                assert.match(made.key, /^tp_/);
                await refused(/./, 'tenant', 'create', 'Other', '--slug', 'gs');
                await refused(/timezone/, 'tenant', 'create', 'Other', '--timezone', 'Mars/Olympus');

                // The only tenant need not be named.
                const agent = await site.commandJson('user', 'invite', 'agent@gs.example', '--name', 'Agent');
                assert.equal(agent.role, 'agent');
                assert.match(agent.token, /^tpt_/);
                await refused(/role/, 'user', 'invite', 'x@gs.example', '--role', 'emperor');
                await refused(/nobody@gs.example/, 'user', 'reset', 'nobody@gs.example');
                assert.match((await site.commandJson('user', 'reset', 'agent@gs.example')).token, /^tpt_/);
                const key = await site.commandJson('key', 'create', 'agent@gs.example', '--role', 'viewer', '--name', 'script');
                assert.equal(key.role, 'viewer');
                assert.match(key.key, /^tp_/);
                const keys = await site.commandJson('key', 'list');
                assert.deepEqual(keys.data.map(({ name }: { name: string }) => name).includes('script'), true);
                assert.equal(JSON.stringify(keys).includes(key.key), false);
                assert.equal((await site.command('key', 'revoke', key.id)).code, 0);
                await refused(/./, 'key', 'revoke', made.tenant.id);
                assert.equal((await site.command('user', 'deactivate', 'agent@gs.example', '--reassign-to', 'boss@gs.example')).code, 0);
                const users = await site.commandJson('user', 'list');
                assert.deepEqual(
                    users.data.map(({ email, active }: { email: string; active: boolean }) => [email, active]).sort(),
                    [['agent@gs.example', false], ['boss@gs.example', true]],
                );

                // Where there are two, one has to be named.
                await site.commandJson('tenant', 'create', 'Second');
                assert.equal((await site.commandJson('tenant', 'list')).data.length, 2);
                await refused(/tenant/i, 'user', 'list');
                assert.equal((await site.commandJson('user', 'list', '--tenant', 'second')).data.length, 0);
                await refused(/./, 'user', 'list', '--tenant', 'third');
            });

            test('a password is read from standard input', async () => {
                const args = ['user', 'password', 'boss@gs.example', '--tenant', 'gs', ...site.flags()];
                const short = await run(binary, args, { input: 'short\n' });
                assert.equal(short.code, 1);
                assert.match(short.stderr, /password/);
                const set = await run(binary, args, { input: 'correct horse battery\n' });
                assert.equal(set.code, 0, set.stderr);
                const running = server ?? (await Server.start(site));
                try {
                    const body = { tenant: 'gs', email: 'boss@gs.example', password: 'correct horse battery' };
                    assert.equal((await running.anonymous.post('/login', body)).status, 200);
                } finally {
                    if (running !== server) await running.stop();
                }
            });
        });
    }

    test('migrate brings an empty store up to date, and again does nothing', async () => {
        const site = await Site.create(store);
        try {
            for (let i = 0; i < 2; i++) {
                const { code, stdout, stderr } = await site.command('migrate');
                assert.equal(code, 0, stderr);
                assert.equal(stdout, 'the store is up to date\n');
            }
        } finally {
            await site.remove();
        }
    });
});

describe('backup and restore', () => {
    const running = useServer('sqlite');
    let dir: string;
    before(() => {
        dir = temporaryDir('backup');
    });
    after(() => rmSync(dir, { recursive: true, force: true }));

    test('a backup while writes go on is one moment of the store', async () => {
        const { body: customer } = await running.admin.post('/customers', { name: 'Customer' });
        let stop = false;
        let written = 0;
        const write = async () => {
            while (!stop) {
                const answer = await running.admin.post('/interactions', {
                    customer_id: customer.id,
                    type: 'call',
                    direction: 'outbound',
                    subject: `touch ${(written += 1)}`,
                    started_at: '2026-01-05T10:00:00Z',
                });
                assert.equal(answer.status, 201);
            }
        };
        const writers = Promise.all(Array.from({ length: 8 }, write));
        const file = join(dir, 'one.db');
        while (written < 100) await sleep(5);
        const before = Number(await sqlite(join(running.site.dataDir, 'touchpoint.db'), 'SELECT count(*) FROM interactions;'));
        const backup = await running.site.command('backup', file);
        stop = true;
        await writers;
        assert.equal(backup.code, 0, backup.stderr);
        assert.match(backup.stdout, /was read back and found whole/);
        assert.equal(statSync(file).mode & 0o777, 0o600);

        const again = await running.site.command('backup', file);
        assert.equal(again.code, 1);
        assert.match(again.stderr, /exists already/);

        // Into a folder of its own: it serves, and has what it had in that moment.
        const restored = join(dir, 'restored');
        const result = await run(binary, ['restore', file, '--data', restored]);
        assert.equal(result.code, 0, result.stderr);
        const copy = join(restored, 'touchpoint.db');
        const count = Number(await sqlite(copy, 'SELECT count(*) FROM interactions;'));
        assert.ok(count >= before && count <= written, `${before} <= ${count} <= ${written}`);
        const dump = async (path: string) =>
            (await runOk('sqlite3', ['-batch', '-readonly', path, '.sha3sum'])).stdout;
        assert.equal(await dump(copy), await dump(file));
        const summary = await sqlite(copy, "SELECT contact_count, (SELECT count(*) FROM contact_events WHERE event_type = 'interaction_logged') FROM customers;");
        assert.equal(summary, `${count}|${count}`);

        // Not over a store, whatever it holds, and not beside its server.
        for (const target of [restored, running.site.dataDir]) {
            const refused = await run(binary, ['restore', file, '--data', target]);
            assert.equal(refused.code, 1);
            assert.match(refused.stderr, target === restored ? /exists already/ : /holds the data folder/);
        }
        assert.equal(await dump(copy), await dump(file));
    });

    test('a damaged backup is not restored, and leaves nothing behind', async () => {
        const whole = join(dir, 'whole.db');
        assert.equal((await running.site.command('backup', whole)).code, 0);
        const bytes = readFileSync(whole);
        bytes.fill(0xa5, Math.floor(bytes.length / 2), Math.floor(bytes.length / 2) + 4096 * 3);
        const damaged = join(dir, 'damaged.db');
        writeFileSync(damaged, bytes);
        const nothing = join(dir, 'nothing.db');
        writeFileSync(nothing, 'not a database at all');
        for (const [i, file] of [damaged, nothing, join(dir, 'missing.db')].entries()) {
            const target = join(dir, `target-${i}`);
            const { code, stderr } = await run(binary, ['restore', file, '--data', target]);
            assert.equal(code, 1);
            assert.match(stderr, /^touchpoint: /);
            assert.equal(statSync(join(target, 'touchpoint.db'), { throwIfNoEntry: false }), undefined);
        }
    });

    test('a WAL that lost its database stops a restore', async () => {
        const target = join(dir, 'stale');
        const file = join(dir, 'for-stale.db');
        assert.equal((await running.site.command('backup', file)).code, 0);
        assert.equal((await run(binary, ['migrate', '--data', target])).code, 0);
        rmSync(join(target, 'touchpoint.db'));
        writeFileSync(join(target, 'touchpoint.db-wal'), 'left over');
        const { code, stderr } = await run(binary, ['restore', file, '--data', target]);
        assert.equal(code, 1);
        assert.match(stderr, /touchpoint\.db-wal exists already/);
    });

    test('PostgreSQL has its own tools', async () => {
        for (const command of ['backup', 'restore']) {
            const { code, stderr } = await run(binary, [command, join(dir, 'pg.db'), '--db', 'postgresql://localhost/none', '--data', join(dir, 'pg')]);
            assert.notEqual(code, 0);
            assert.match(stderr, /PostgreSQL/);
        }
    });
});
