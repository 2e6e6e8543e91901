// More than the server takes: it says so, keeps what it took, and goes on.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { exchange, RawConnection, type RawAnswer } from '../kit/raw.ts';
import { Server, Site } from '../kit/server.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const get = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n';

function statuses(answers: RawAnswer[]): number[] {
    return answers.map(({ status }) => status);
}

forEachStore((store) => {
    const site = useServer(store, '--queue', '2', '--db-connections', '1', '--rate', '0');

    test('past the queue of the store it is 503, and what is told is true', async () => {
        const clients = 48;
        const connections = await Promise.all(
            Array.from({ length: clients }, () => RawConnection.open(site.server.url)),
        );
        const answers: RawAnswer[] = [];
        for (let round = 0; round < 4; round += 1) {
            for (const [i, connection] of connections.entries()) {
                const body = JSON.stringify({ name: `Customer ${round}-${i}` });
                connection.send(
                    `POST /api/v1/customers HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${site.tenant.key}\r\n` +
                    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
                );
            }
            const received = await Promise.all(connections.map((connection) => connection.answers(round + 1)));
            answers.push(...received.map((all) => all[round]!));
        }
        const created = answers.filter(({ status }) => status === 201);
        const refused = answers.filter(({ status }) => status === 503);
        assert.equal(created.length + refused.length, answers.length);
        assert.ok(refused.length > 0, 'nothing was refused');
        assert.ok(created.length > 0, 'nothing was taken');
        for (const answer of refused) {
            assert.ok(Number(answer.headers['retry-after']) >= 1);
            assert.equal(answer.headers['content-type'], 'application/problem+json');
            assert.equal(JSON.parse(answer.body).status, 503);
            assert.notEqual(answer.headers['connection'], 'close');
        }
        for (const connection of connections) connection.destroy();

        // It goes on, and holds what it said that it holds.
        const list = await site.admin.get('/customers?limit=1');
        assert.equal(list.status, 200, list.text);
        assert.equal(list.body.total, created.length);
    });
});

describe('connections', () => {
    let site: Site;
    before(async () => {
        site = await Site.create('sqlite');
    });
    after(() => site.remove());

    test('past the limit they are told 503 and closed, and a place that is free is given', async (t) => {
        const server = await Server.start(site, '--connections', '4');
        t.after(() => server.kill());
        const held = [];
        for (let i = 0; i < 4; i += 1) held.push(await RawConnection.open(server.url));
        const refused = await RawConnection.open(server.url);
        const [answer, ...others] = await refused.answersUntilClosed(); // it did not even ask
        assert.deepEqual([answer?.status, others.length], [503, 0]);
        assert.equal(answer!.headers['connection'], 'close');
        assert.ok(Number(answer!.headers['retry-after']) >= 1);
        assert.equal(JSON.parse(answer!.body).status, 503);
        // Those that are in are served, and commands come by another door.
        for (const connection of held) {
            connection.send(get);
            assert.deepEqual(statuses(await connection.answers(1)), [200]);
        }
        assert.equal((await site.commandJson('tenant', 'list')).total, 0);
        held.pop()!.destroy();
        refused.destroy();
        let served: number[] = [];
        for (const until = Date.now() + 10_000; served[0] !== 200 && Date.now() < until; ) {
            served = statuses(await exchange(server.url, get.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')));
        }
        assert.deepEqual(served, [200]);
        for (const connection of held) connection.destroy();
        await server.stop();
    });

    test('1,000 that are idle disturb nobody, also where the usual number of files is small', async (t) => {
        const server = await Server.startWith(['sh', '-c', 'ulimit -Sn 256; exec "$0" "$@"'], site);
        t.after(() => server.kill());
        const idle: RawConnection[] = [];
        for (let i = 0; i < 10; i += 1) {
            idle.push(...await Promise.all(Array.from({ length: 100 }, () => RawConnection.open(server.url))));
        }
        const metrics = await server.anonymous.get('//metrics');
        const open = /^touchpoint_connections_open (\d+)$/m.exec(metrics.text);
        assert.ok(Number(open?.[1]) >= 1000, metrics.text.slice(0, 2000));
        const times: number[] = [];
        for (let i = 0; i < 200; i += 1) {
            const began = performance.now();
            assert.equal((await server.anonymous.get('//readyz')).status, 200);
            times.push(performance.now() - began);
        }
        times.sort((a, b) => a - b);
        assert.ok(times[100]! < 50, `half of the answers took more than ${times[100]} ms`);
        const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
        const anonymousKb = Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)![1]);
        const isSanitized = /\/lib(a|t|ub)san|libclang_rt/.test(readFileSync(`/proc/${server.pid}/maps`, 'utf8'));
        assert.ok(isSanitized || anonymousKb < 100 * 1024, `${anonymousKb} kB`);
        for (const connection of idle) assert.equal(connection.closed, false);
        for (const connection of idle.filter((_, i) => i % 50 === 0)) {
            connection.send(get);
            assert.deepEqual(statuses(await connection.answers(1)), [200]);
        }
        for (const connection of idle) connection.destroy();
        await server.stop();
    });
});

describe('a byte now and then', () => {
    let site: Site;
    let server: Server;
    before(async () => {
        site = await Site.create('sqlite');
        server = await Server.start(site, '--head-seconds', '1', '--body-seconds', '2', '--idle-seconds', '3');
    });
    after(async () => {
        await server.stop();
        await site.remove();
    });

    async function dribble(first: string, rest: string): Promise<{ answers: RawAnswer[]; seconds: number }> {
        const connection = await RawConnection.open(server.url);
        connection.send(first);
        const began = Date.now();
        const sending = connection.sendSlowly(rest, 100);
        const answers = await connection.answersUntilClosed(20_000);
        await sending;
        connection.destroy();
        return { answers, seconds: (Date.now() - began) / 1000 };
    }

    const headers = 'POST /api/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    const cases: [string, string, string, number][] = [
        ['of a head', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ', 'y'.repeat(400), 1],
        ['of a body', `${headers}Content-Length: 1000\r\n\r\n`, ' '.repeat(900), 2],
        ['of a chunked body', `${headers}Transfer-Encoding: chunked\r\n\r\n`, '1\r\n \r\n'.repeat(100), 2],
    ];
    for (const [what, first, rest, least] of cases) {
        test(`${what} is cut off with 408`, { concurrency: true }, async () => {
            const { answers, seconds } = await dribble(first, rest);
            assert.deepEqual(statuses(answers), [408]);
            assert.equal(answers[0]!.headers['connection'], 'close');
            assert.equal(JSON.parse(answers[0]!.body).status, 408);
            assert.ok(seconds >= least - 0.1 && seconds < 15, `${seconds} s`);
        });
    }

    test('and nothing at all is an idle connection, which is closed without a word', async () => {
        const connection = await RawConnection.open(server.url);
        connection.send(get);
        assert.deepEqual(statuses(await connection.answers(1)), [200]);
        const began = Date.now();
        assert.equal((await connection.answersUntilClosed(20_000)).length, 1);
        assert.ok(Date.now() - began >= 2_900);
        connection.destroy();
    });
});
