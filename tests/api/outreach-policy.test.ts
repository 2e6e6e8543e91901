// How often a customer may be contacted by a method: read and changed by managers (SPEC.md §7).
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { Answer, Client, Json } from '../kit/client.ts';
import { addPerson, faults } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const METHODS = ['call', 'video_call', 'email', 'sms', 'chat', 'in_person', 'social_media', 'push', 'other', 'linkedin'];
const DEFAULT = {
    guarded: true, warn_days: 7, min_hours: 24, max_per_day: 1, bypass: true, exceptions: [], is_default: true,
    version: 0, created_at: null, updated_at: null, updated_by: null, updated_by_name: null,
};
const CAMPAIGN = '01890000-0000-7000-8000-00000000000c';

forEachStore((store) => {
    const site = useServer(store);
    let boss: Client; // a manager
    let bossId: string;
    let agent: Client;

    before(async () => {
        const manager = await addPerson(site.admin, 'manager', { name: 'Mona' });
        [boss, bossId] = [manager.client, manager.user.id];
        agent = (await addPerson(site.admin, 'agent', { name: 'Alice' })).client;
    });

    async function ok(status: number, method: string, path: string, body?: Json, who: Client = boss): Promise<Json> {
        const answer = await who.request(method, path, body);
        assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
        return answer.body;
    }
    const policy = (method: string): Promise<Json> => ok(200, 'GET', `/outreach-policy/${method}`);

    test('every method that can be guarded has one, and begins with the default', async () => {
        const list = await ok(200, 'GET', '/outreach-policy');
        assert.deepEqual(list.data, METHODS.map((method) => ({ method, ...DEFAULT })));
        assert.equal(list.total, METHODS.length);
        for (const method of METHODS) assert.deepEqual(await policy(method), { method, ...DEFAULT });
        assert.equal((await policy('phone')).method, 'call');
    });

    test('page, offset and cursor agree', async () => {
        const names = (page: Json): string[] => page.data.map((row: Json) => row.method);
        const walked: string[] = [];
        for (let cursor = ''; cursor !== 'end'; ) {
            const page = await ok(200, 'GET', `/outreach-policy?limit=3${cursor}`);
            walked.push(...names(page));
            cursor = page.next_cursor === null ? 'end' : `&cursor=${page.next_cursor}`;
        }
        assert.deepEqual(walked, METHODS);
        assert.deepEqual(names(await ok(200, 'GET', '/outreach-policy?page=2&page_size=4')), METHODS.slice(4, 8));
        assert.deepEqual(names(await ok(200, 'GET', '/outreach-policy?limit=4&offset=8')), METHODS.slice(8));
        assert.deepEqual(names(await ok(200, 'GET', '/outreach-policy?offset=10')), []);
    });

    test('as a table', async () => {
        await ok(200, 'PUT', '/outreach-policy/chat', { max_per_day: null, exceptions: [{ role: 'admin', warn_days: 0, min_hours: 0 }] });
        const answer = await boss.get('/outreach-policy?format=csv');
        assert.equal(answer.status, 200, answer.text);
        const lines = answer.text.trimEnd().split('\r\n');
        assert.equal(lines.length, 1 + METHODS.length);
        assert.equal(lines[0], 'method,guarded,warn_days,min_hours,max_per_day,bypass,exceptions,is_default,version,created_at,updated_at,updated_by,updated_by_name');
        assert.deepEqual(lines.slice(1).map((line) => line.split(',')[0]), METHODS);
        assert.equal(lines[1], 'call,true,7,24,1,true,[],true,0,,,,');
        assert.match(lines[1 + METHODS.indexOf('chat')]!, /^chat,true,7,24,,true,"\[\{""role"":""admin"",""warn_days"":0,""min_hours"":0,""max_per_day"":null\}\]",false,1,.*,Mona$/);
        await ok(204, 'DELETE', '/outreach-policy/chat');
    });

    test('edited, replaced and set back', async () => {
        const first = await ok(200, 'PATCH', '/outreach-policy/email', { warn_days: 14, exceptions: [{ role: 'manager', warn_days: 2, min_hours: 1, max_per_day: 3 }] });
        assert.deepEqual({ ...first, created_at: null, updated_at: null }, {
            method: 'email', ...DEFAULT, warn_days: 14, exceptions: [{ role: 'manager', warn_days: 2, min_hours: 1, max_per_day: 3 }],
            is_default: false, version: 1, updated_by: bossId, updated_by_name: 'Mona',
        });
        assert.deepEqual(await policy('email'), first);
        assert.deepEqual(await policy('sms'), { method: 'sms', ...DEFAULT });

        // A list is replaced whole, null is no cap, and what is left out stays.
        const second = await ok(200, 'PATCH', '/outreach-policy/email', { max_per_day: null, exceptions: [{ campaign_id: CAMPAIGN, warn_days: 1, min_hours: 24 }] }, site.admin);
        assert.deepEqual(second.exceptions, [{ campaign_id: CAMPAIGN, warn_days: 1, min_hours: 24, max_per_day: null }]);
        assert.deepEqual([second.warn_days, second.max_per_day, second.version, second.created_at], [14, null, 2, first.created_at]);
        assert.notEqual(second.updated_by, bossId);

        // No change: no version.
        assert.deepEqual(await ok(200, 'PATCH', '/outreach-policy/email', { warn_days: 14 }), second);
        assert.deepEqual(await ok(200, 'PATCH', '/outreach-policy/email', {}), second);

        // PUT: what is left out takes the default.
        const third = await ok(200, 'PUT', '/outreach-policy/email', { guarded: false, bypass: false });
        assert.deepEqual({ ...third, created_at: null, updated_at: null }, {
            method: 'email', ...DEFAULT, guarded: false, bypass: false, is_default: false, version: 3, updated_by: bossId, updated_by_name: 'Mona',
        });
        assert.equal((await ok(200, 'PUT', '/outreach-policy/email', { guarded: false, bypass: false })).version, 3);

        await ok(204, 'DELETE', '/outreach-policy/email');
        const back = await policy('email');
        assert.deepEqual({ ...back, ...DEFAULT }, { ...DEFAULT, method: 'email' });
        assert.deepEqual([back.is_default, back.guarded, back.version], [true, true, 4]);
        await ok(204, 'DELETE', '/outreach-policy/email');
        assert.equal((await policy('email')).version, 4);
        // A list may be cleared by null, too.
        await ok(200, 'PATCH', '/outreach-policy/email', { exceptions: [{ role: 'viewer', warn_days: 0, min_hours: 0 }] });
        assert.deepEqual((await ok(200, 'PATCH', '/outreach-policy/email', { exceptions: null })).exceptions, []);
        await ok(204, 'DELETE', '/outreach-policy/email');
    });

    test('the default again, said or not, is no change', async () => {
        assert.deepEqual(await ok(200, 'PUT', '/outreach-policy/push', {}), { method: 'push', ...DEFAULT });
        assert.deepEqual(await ok(200, 'PATCH', '/outreach-policy/push', { warn_days: 7, max_per_day: 1 }), { method: 'push', ...DEFAULT });
        await ok(204, 'DELETE', '/outreach-policy/push');
        assert.equal((await policy('push')).version, 0);
    });

    test('every fault by its field, and nothing is written', async () => {
        const refused = async (method: string, body: Json): Promise<string[]> => {
            const answer = await boss.request(method, '/outreach-policy/in_person', body);
            assert.equal(answer.status, 422, answer.text);
            return faults(answer.body);
        };
        assert.deepEqual(await refused('PATCH', { method: 'sms', is_default: true, version: 3, warn_days: 366, min_hours: -1, max_per_day: 0, guarded: null, bypass: 'no', warn_day: 1 }), [
            'bypass wrong_type', 'guarded not_nullable', 'is_default read_only', 'max_per_day too_small', 'method read_only',
            'min_hours too_small', 'version read_only', 'warn_day unknown_field', 'warn_days too_large']);
        assert.deepEqual(await refused('PUT', { max_per_day: 21, min_hours: 8761, exceptions: [{}, { role: 'boss', warn_days: 1, min_hours: 1 }] }), [
            'exceptions[0].min_hours required', 'exceptions[0].warn_days required', 'exceptions[1].role not_one_of',
            'max_per_day too_large', 'min_hours too_large']);
        assert.deepEqual(await refused('PUT', {
            warn_days: 1, min_hours: 25, exceptions: [
                { warn_days: 0, min_hours: 0 },
                { role: 'agent', campaign_id: CAMPAIGN, warn_days: 0, min_hours: 0 },
                { role: 'agent', warn_days: 2, min_hours: 49 },
                { role: 'agent', warn_days: 2, min_hours: 48 },
                { campaign_id: CAMPAIGN, warn_days: 0, min_hours: 0 },
                { campaign_id: CAMPAIGN, warn_days: 0, min_hours: 1 },
            ],
        }), [
            'exceptions[0].role required', 'exceptions[1].campaign_id conflict', 'exceptions[2].min_hours too_large', 'exceptions[3].role repeated',
            'exceptions[5].campaign_id repeated', 'exceptions[5].min_hours too_large', 'min_hours too_large']);
        // Also of what stood there before.
        assert.deepEqual(await refused('PATCH', { warn_days: 0 }), ['min_hours too_large']);
        const many = Array.from({ length: 51 }, (_, i) => ({ campaign_id: CAMPAIGN.slice(0, -2) + (10 + i), warn_days: 0, min_hours: 0 }));
        assert.deepEqual(await refused('PUT', { exceptions: many }), ['exceptions too_long']);
        assert.deepEqual(await policy('in_person'), { method: 'in_person', ...DEFAULT });
        assert.equal((await ok(200, 'PUT', '/outreach-policy/in_person', { exceptions: many.slice(1) })).exceptions.length, 50);
        await ok(204, 'DELETE', '/outreach-policy/in_person');
    });

    test('methods that there are not, and those without a policy', async () => {
        for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
            const body = method === 'PATCH' || method === 'PUT' ? {} : undefined;
            const unknown = await boss.request(method, '/outreach-policy/pigeon', body);
            assert.deepEqual([unknown.status, faults(unknown.body)], [422, ['method not_one_of']], unknown.text);
            for (const free of ['note', 'meeting', 'system']) {
                const answer = await boss.request(method, `/outreach-policy/${free}`, body);
                assert.deepEqual([answer.status, answer.body.detail], [404, 'There is no such record.']);
            }
        }
    });

    test('a lost update is noticed', async () => {
        const path = '/outreach-policy/linkedin';
        const tagged = (method: string, tag: string, body?: Json): Promise<Answer> => boss.request(method, path, body, { headers: { 'if-match': tag } });
        const read = await boss.get(path);
        assert.equal(read.headers.etag, '"0"');
        assert.equal((await tagged('PATCH', '"1"', { warn_days: 9 })).status, 412);
        const made = await tagged('PUT', '"0"', { warn_days: 9 });
        assert.deepEqual([made.status, made.headers.etag], [200, '"1"'], made.text);
        for (const method of ['PUT', 'PATCH', 'DELETE']) assert.equal((await tagged(method, '"0"', method === 'DELETE' ? undefined : { warn_days: 10 })).status, 412);
        assert.equal((await policy('linkedin')).warn_days, 9);
        assert.equal((await tagged('DELETE', '"1"')).status, 204);
        // What was set back and set anew is another one than it was.
        assert.equal((await tagged('PUT', '"2"', { warn_days: 11 })).headers.etag, '"3"');
        assert.equal((await tagged('PATCH', '"1"', { warn_days: 12 })).status, 412);
        assert.equal((await tagged('DELETE', '"3"')).status, 204);
    });

    test('of managers at the same instant one gets through', async () => {
        const path = '/outreach-policy/video_call';
        for (let version = 0; version < 3; version++) {
            const answers = await Promise.all(Array.from({ length: 6 }, (_, i) =>
                boss.patch(path, { warn_days: 10 * (version + 1) + i }, { headers: { 'if-match': `"${version}"` } })));
            const won = answers.filter((answer) => answer.status === 200);
            assert.equal(won.length, 1, answers.map((answer) => answer.status).join());
            // Of the first row there is nothing to wait for.
            for (const answer of answers) assert.ok([200, 412, ...(version === 0 ? [409] : [])].includes(answer.status), answer.text);
            assert.deepEqual(await policy('video_call'), won[0]!.body);
            assert.equal(won[0]!.body.version, version + 1);
        }
        await ok(204, 'DELETE', path);
    });

    test('who changed what is in the audit', async () => {
        const path = '/outreach-policy/other';
        await ok(200, 'PATCH', path, { warn_days: 3, max_per_day: null });
        await ok(200, 'PATCH', path, { warn_days: 3 });
        await ok(200, 'PUT', path, { exceptions: [{ role: 'admin', warn_days: 1, min_hours: 0 }] }, site.admin);
        await ok(204, 'DELETE', path, undefined, boss);
        await ok(204, 'DELETE', path, undefined, boss);
        const list = await ok(200, 'GET', '/contact-events?category=system&limit=200', undefined, site.admin);
        const log = list.events.filter((event: Json) => event.subject_type === 'outreach_policy' && event.payload.method === 'other').reverse();
        const exceptions = [{ role: 'admin', warn_days: 1, min_hours: 0, max_per_day: null }];
        assert.deepEqual(log.map((event: Json) => [event.event_type, event.triggered_by, event.payload.changed]), [
            ['outreach_policy_changed', bossId, { warn_days: { from: 7, to: 3 }, max_per_day: { from: 1, to: null } }],
            ['outreach_policy_changed', site.tenant.user.id, {
                warn_days: { from: 3, to: 7 }, max_per_day: { from: null, to: 1 }, exceptions: { from: [], to: exceptions },
            }],
            ['outreach_policy_reset', bossId, { exceptions: { from: exceptions, to: [] } }],
        ]);
        assert.equal(new Set(log.map((event: Json) => event.subject_id)).size, 1);
        for (const event of log) assert.deepEqual([event.category, event.contact_id], ['system', null]);
    });

    test('another tenant has its own', async () => {
        const other = site.server.client((await site.site.createTenant('Other', 'admin@other.example')).key);
        await ok(200, 'PATCH', '/outreach-policy/sms', { warn_days: 30 });
        assert.deepEqual(await ok(200, 'GET', '/outreach-policy/sms', undefined, other), { method: 'sms', ...DEFAULT });
        await ok(200, 'PATCH', '/outreach-policy/sms', { warn_days: 5 }, other);
        assert.equal((await policy('sms')).warn_days, 30);
        await ok(204, 'DELETE', '/outreach-policy/sms');
    });

    test('agents have no say', async () => {
        for (const path of ['/outreach-policy', '/outreach-policy/email']) assert.equal((await agent.get(path)).status, 403);
        assert.equal((await agent.patch('/outreach-policy/email', { guarded: false })).status, 403);
        assert.equal((await policy('email')).guarded, true);
    });

    /** A lead who was emailed so long ago, asked about and then written to by somebody. */
    const lead = async (hoursAgo: number): Promise<string> => {
        const { id } = await ok(201, 'POST', '/customers', { name: 'Lea' });
        await ok(201, 'POST', '/interactions', {
            customer_id: id, type: 'email', direction: 'outbound', subject: 'Hello', started_at: new Date(Date.now() - hoursAgo * 3_600_000).toISOString(),
        });
        return id;
    };
    const STATUS: Record<string, number> = { allowed: 201, warning: 409, blocked: 429 };
    const decides = async (id: string, who: Client, decision: string): Promise<Json> => {
        const check = await ok(200, 'GET', `/leads/${id}/contact-check?method=email`, undefined, who);
        assert.equal(check.decision, decision, JSON.stringify(check));
        const answer = await who.post(`/leads/${id}/contacts`, { method: 'email', direction: 'outbound', subject: 'Again' });
        assert.equal(answer.status, STATUS[decision], answer.text);
        return check;
    };

    test('a change holds at once, for who asks and for who writes', async () => {
        const id = await lead(30);
        assert.deepEqual((await decides(id, agent, 'warning')).limits, { warn_days: 7, min_hours: 24, max_per_day: 1 });
        await ok(200, 'PATCH', '/outreach-policy/email', { min_hours: 48, max_per_day: null });
        assert.deepEqual((await decides(id, agent, 'blocked')).limits, { warn_days: 7, min_hours: 48, max_per_day: null });
        await ok(200, 'PATCH', '/outreach-policy/email', { warn_days: 1, min_hours: 12 });
        await decides(id, agent, 'allowed'); // which is a touch
        await decides(id, agent, 'blocked');
        await ok(200, 'PATCH', '/outreach-policy/email', { guarded: false });
        await decides(id, agent, 'allowed');
        await decides(id, agent, 'allowed');
        await ok(204, 'DELETE', '/outreach-policy/email');
        await decides(id, agent, 'blocked');
    });

    test('so many a day, on the customer\'s own day', async () => {
        // Where it is noon now, give or take half an hour, so that a minute ago is today.
        const offset = 12 - new Date().getUTCHours();
        const { id } = await ok(201, 'POST', '/customers', { name: 'Noor', timezone: `Etc/GMT${offset > 0 ? '-' : '+'}${Math.abs(offset)}` });
        await ok(200, 'PUT', '/outreach-policy/email', { warn_days: 0, min_hours: 0, max_per_day: 2 });
        await decides(id, agent, 'allowed');
        await decides(id, agent, 'allowed');
        const check = await decides(id, agent, 'blocked');
        assert.deepEqual([check.broken, check.touches.length], [['max_per_day'], 2]);
        await ok(200, 'PATCH', '/outreach-policy/email', { max_per_day: 3 });
        await decides(id, agent, 'allowed');
        await ok(204, 'DELETE', '/outreach-policy/email');
    });

    test('a role\'s exception holds for it and those above', async () => {
        const id = await lead(1);
        await ok(200, 'PUT', '/outreach-policy/email', { exceptions: [{ role: 'manager', warn_days: 0, min_hours: 0, max_per_day: null }] });
        await decides(id, agent, 'blocked');
        assert.deepEqual((await decides(id, boss, 'allowed')).limits, { warn_days: 0, min_hours: 0, max_per_day: null });
        await decides(id, site.admin, 'allowed');
        await ok(200, 'PATCH', '/outreach-policy/email', {
            exceptions: [{ role: 'agent', warn_days: 1, min_hours: 0, max_per_day: null }, { role: 'admin', warn_days: 7, min_hours: 24, max_per_day: 1 }],
        });
        await decides(id, agent, 'warning');
        await decides(id, boss, 'warning');
        await decides(id, site.admin, 'blocked');
        await ok(204, 'DELETE', '/outreach-policy/email');
    });
});
