// A newcomer's first minutes: serve --demo answers what the documents of interaction
// management print, without a credential, and nothing that a foreign web page could send.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Client, Json } from '../kit/client.ts';
import { exchange } from '../kit/raw.ts';
import { Server, Site } from '../kit/server.ts';
import { forEachStore } from '../kit/stores.ts';

const mount = '/customer-mgmt/interactions';
const types = [
    'call', 'video_call', 'email', 'sms', 'chat', 'meeting', 'in_person', 'social_media', 'push', 'note', 'system', 'other',
];

// As they are printed; only the ids are real.
const createPhoneCall = (customer: string) => `{
"customer_id": "${customer}",
"type": "call",
"direction": "outbound",
"subject": "Follow-up call about product demo",
"description": "Called customer to discuss demo feedback",
"started_at": "2025-12-28T10:30:00Z"
}`;
const endInteraction = `{
"ended_at": "2025-12-28T10:45:00Z"
}`;
const setFollowUp = `{
"follow_up_required": true,
"follow_up_date": "2025-12-30T09:00:00Z",
"follow_up_notes": "Customer requested pricing information"
}`;
const addAttendee = (user: string) => `{"attendee_id": "${user}"}`;

forEachStore((store) => {
    let site: Site;
    let server: Server;
    let demo: Client;

    before(async () => {
        site = await Site.create(store);
        server = await Server.start(site, '--demo');
        demo = server.anonymous;
    });
    after(async () => {
        await server.stop();
        await site.remove();
    });

    async function data(path: string): Promise<Json[]> {
        const answer = await demo.get(path);
        assert.equal(answer.status, 200, answer.text);
        return answer.body.data;
    }

    async function total(path: string): Promise<number> {
        const answer = await demo.get(path);
        assert.equal(answer.status, 200, answer.text);
        return answer.body.total;
    }

    test('a small team, and a few hundred interactions of all types', async () => {
        assert.equal((await demo.get('/me')).body.user.role, 'admin');
        const team = await data('/users');
        assert.ok(team.length >= 3 && team.length <= 12);
        assert.equal(new Set(team.map((user) => user.role)).size >= 3, true);
        const all = await total('/interactions');
        assert.ok(all >= 200 && all < 1000, String(all));
        let sum = 0;
        for (const type of types) {
            const of = await total(`/interactions/type/${type}`);
            assert.ok(of > 0, type);
            sum += of;
        }
        assert.equal(sum, all);
        for (const bucket of ['overdue', 'upcoming']) {
            assert.ok((await total(`/interactions/follow-ups?bucket=${bucket}`)) > 0, bucket);
        }
        const latest = (await data('/interactions?limit=1'))[0];
        assert.ok(Date.parse(latest.started_at) < Date.now(), 'nothing has happened tomorrow');
        assert.ok((await data('/companies')).length > 0);
        const touched = (await data('/customers?limit=200')).filter((one) => one.contact_count > 0);
        assert.ok(touched.length > 10);
    });

    test('every printed request works as printed', async () => {
        const customer = (await data('/customers?limit=1'))[0];
        const [first, second] = (await data('/users')).map((user) => user.id);
        const made = await demo.post(mount, createPhoneCall(customer.id));
        assert.equal(made.status, 201, made.text);
        assert.equal(made.body.started_at, '2025-12-28T10:30:00Z');
        const at = `${mount}/${made.body.id}`;
        const ended = await demo.put(`${at}/end`, endInteraction);
        assert.deepEqual([ended.status, ended.body.duration_sec], [200, 900]);
        const flagged = await demo.put(`${at}/follow-up`, setFollowUp);
        assert.equal(flagged.status, 200, flagged.text);
        assert.deepEqual(
            [flagged.body.follow_up_required, flagged.body.follow_up_date, flagged.body.follow_up_notes],
            [true, '2025-12-30T09:00:00Z', 'Customer requested pricing information'],
        );
        assert.equal((await demo.post(`${at}/attendees`, addAttendee(first))).status, 200);
        assert.equal((await demo.post(`${at}/attendees`, addAttendee(second))).status, 200);
        const page = await demo.get(`${mount}/customer/${customer.id}?page=1&page_size=20`);
        assert.deepEqual([page.status, page.body.page, page.body.page_size], [200, 1, 20]);
        const found = page.body.data.find((row: Json) => row.id === made.body.id);
        assert.deepEqual(found.attendees, [first, second]);
        assert.deepEqual([found.customer_name, found.created_by_name], [customer.name, 'Ada Brandt']);

        // The rest of the table of routes.
        assert.deepEqual((await demo.get(at)).body, found);
        const content = await demo.put(`${at}/content`, { subject: 'Product demo', description: 'Liked it' });
        assert.deepEqual([content.status, content.body.subject], [200, 'Product demo']);
        assert.equal((await demo.put(`${at}/outcome`, { outcome: 'successful' })).body.outcome, 'successful');
        assert.equal((await demo.del(`${at}/attendees/${first}`)).status, 204);
        const company = (await data('/companies?limit=1'))[0];
        for (const path of [`/company/${company.id}`, '/type/call', `/created-by/${found.created_by}`, '/follow-ups']) {
            assert.ok((await total(`${mount}${path}`)) > 0, path);
        }
        assert.equal((await demo.del(at)).status, 204);
        assert.equal((await demo.get(at)).status, 404);
    });

    test('what another page in the browser could send is refused', async () => {
        const { host } = new URL(server.url);
        const port = new URL(server.url).port;
        const statusWith = async (headers: Record<string, string>) => {
            const answers = [await demo.get('/customers', { headers }), await demo.post('/customers', { name: 'Planted' }, { headers })];
            assert.equal(answers[0]!.status === 200, answers[1]!.status === 201);
            return answers[0]!.status;
        };
        const before = await total('/customers');
        for (const headers of [
            { origin: 'https://evil.example' }, { origin: 'null' }, { origin: `http://evil.example:${port}` },
            { origin: 'http://localhost:1' }, { origin: 'http://127.0.0.1' }, { origin: `http://localhost:${port}.evil.example` },
            { host: 'evil.example' }, { host: `evil.example:${port}` }, { host: `localhost.evil.example:${port}` },
            { host: `127.0.0.1.evil.example:${port}` }, { host: `10.0.0.1:${port}` },
            { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'cross-site', origin: `http://${host}` },
        ]) {
            assert.equal(await statusWith(headers as unknown as Record<string, string>), 403, JSON.stringify(headers));
        }
        assert.equal(await total('/customers'), before);
        const fine = [{ origin: `http://${host}`, 'sec-fetch-site': 'same-origin' }, { host: `localhost:${port}` }, { 'sec-fetch-site': 'none' }];
        for (const headers of fine) {
            assert.equal(await statusWith(headers as unknown as Record<string, string>), 200, JSON.stringify(headers));
        }
        // Not even the documents, so that a name that now leads here shows nothing.
        const [answer] = await exchange(server.url, 'GET /docs HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n');
        assert.equal(answer!.status, 403);
        const simple = await demo.post('/customers', '{"name":"Planted"}', { headers: { 'content-type': 'text/plain' } });
        assert.equal(simple.status, 415);
    });

    test('a credential counts for what it is, also here', async () => {
        assert.equal((await demo.withKey(`tp_${'A'.repeat(86)}`).get('/me')).status, 401);
        assert.equal((await demo.with({ cookie: 'other=1' }).get('/me')).status, 200);
    });

    test('it is loaded once', async () => {
        const paths = ['/users', '/companies', '/customers', '/interactions', '/interactions/follow-ups'];
        const before = await Promise.all(paths.map(total));
        const me = (await demo.get('/me')).body.user.id;
        await server.stop();
        server = await Server.start(site, '--demo');
        demo = server.anonymous;
        assert.deepEqual(await Promise.all(paths.map(total)), before);
        assert.equal((await demo.get('/me')).body.user.id, me);
        // Without the flag, its data are as safe as any.
        await server.stop();
        server = await Server.start(site);
        assert.equal((await server.anonymous.get('/customers')).status, 401);
        await server.stop();
        server = await Server.start(site, '--demo');
        demo = server.anonymous;
    });

    test('it listens on loopback only', async () => {
        for (const address of ['0.0.0.0:0', '[::]:0']) {
            const other = site.another();
            const { code, stdout, stderr } = await other.command('serve', '--demo', '--listen', address);
            assert.notEqual(code, 0);
            assert.equal(stdout, '');
            assert.match(stderr, /loopback/);
            await other.remove();
        }
    });
});
