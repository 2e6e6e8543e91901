// What the server says of itself: documents for people and programs, and counters.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { routesOf } from '../kit/openapi.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

forEachStore((store) => {
    const site = useServer(store);

    test('the API is described for programs, completely', async () => {
        const answer = await site.anonymous.get('//openapi.json');
        assert.equal(answer.status, 200);
        assert.match(answer.body.openapi, /^3\.1\./);
        assert.equal(answer.text.includes('$ref":"http'), false, 'it needs no other document');
        const ids = Object.values(answer.body.paths as Record<string, Record<string, { operationId?: string }>>)
            .flatMap((operations) => Object.values(operations).map(({ operationId }) => operationId))
            .filter((id) => id !== undefined);
        assert.equal(new Set(ids).size, ids.length, 'operations have names of their own');
        assert.ok(routesOf(answer.body).includes('POST /api/v1/customer-mgmt/interactions'));
    });

    test('and for people, without another host', async () => {
        const { paths } = (await site.anonymous.get('//openapi.json')).body;
        const page = await site.anonymous.get('//docs');
        assert.equal(page.status, 200);
        assert.match(page.headers['content-type']!, /^text\/html/);
        assert.match(String(page.headers['content-security-policy']), /default-src 'none'/);
        assert.equal(/<script|src=|https?:\/\//.test(page.text.replace(/http:\/\/(localhost|127\.0\.0\.1)\S*/g, '')), false);
        for (const path of Object.keys(paths)) assert.ok(page.text.includes(path), path);
        const style = await site.anonymous.get('//docs.css');
        assert.equal(style.status, 200);
        assert.match(style.headers['content-type']!, /^text\/css/);
        assert.match(page.text, /href="\/docs\.css"/);
        assert.equal(/@import|url\(/.test(style.text), false);
    });

    test('requests are counted by route, and no id gets into the names', async () => {
        const { id } = (await site.admin.post('/customers', { name: 'Counted' })).body;
        const lines = async () => (await site.anonymous.get('//metrics')).text.split('\n');
        const counted = async () => (await lines()).filter((line) => /_total\{.*"\/api\/v1\/customers\/\{id\}"/.test(line));
        await site.admin.get(`/customers/${id}`);
        const before = await counted();
        assert.notEqual(before.length, 0);
        await site.admin.get(`/customers/${id}`);
        assert.notDeepEqual(await counted(), before);
        const all = await lines();
        assert.ok(all.every((line) => line === '' || /^# (HELP|TYPE) \w+ .+$|^\w+(\{[^}]*(\{\w+\}[^}]*)*\})? [-+.\deE]+$/.test(line)), 'Prometheus can read it');
        assert.equal(all.join('\n').includes(id), false);
    });
});
