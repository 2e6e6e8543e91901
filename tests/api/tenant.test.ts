import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json } from '../kit/client.ts';
import { addPerson, faults } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

forEachStore((store) => {
    const site = useServer(store);

    test('a tenant comes with its admin and a key', async () => {
        const made = await site.site.commandJson(
            'tenant', 'create', 'Ärzte & Söhne', '--admin', 'chief@aerzte.example', '--key', '--timezone', 'Europe/Berlin');
        assert.equal(made.tenant.slug, 'arzte-sohne');
        assert.equal(made.tenant.timezone, 'Europe/Berlin');
        assert.equal(made.user.role, 'admin');
        assert.match(made.user.token, /^tpt_/);
        const me = await site.server.client(made.key).get('/me');
        assert.equal(me.status, 200);
        assert.equal(me.body.user.email, 'chief@aerzte.example');
        assert.equal(me.body.tenant.id, made.tenant.id);
    });

    test('names may repeat, slugs may not', async () => {
        const first = await site.site.commandJson('tenant', 'create', 'Same Name');
        const second = await site.site.commandJson('tenant', 'create', 'Same Name');
        assert.equal(first.tenant.slug, 'same-name');
        assert.equal(second.tenant.slug, 'same-name-2');
        assert.equal(first.key, undefined);
        assert.equal(first.user, undefined);
        const taken = await site.site.command('tenant', 'create', 'Another', '--slug', 'same-name');
        assert.notEqual(taken.code, 0);
        const script = await site.site.commandJson('tenant', 'create', '東京');
        assert.match(script.tenant.slug, /^[a-z0-9-]+$/);
    });

    test('a key needs an admin', async () => {
        const refused = await site.site.command('tenant', 'create', 'Keyless', '--key');
        assert.notEqual(refused.code, 0);
        const list = await site.site.commandJson('tenant', 'list');
        assert.ok(!list.data.some((tenant: { name: string }) => tenant.name === 'Keyless'));
        assert.equal(list.total, list.data.length);
        assert.ok(list.data.some((tenant: { slug: string }) => tenant.slug === 'acme'));
    });

    test('the own tenant is read by all and edited by admins', async () => {
        const { client: viewer } = await addPerson(site.admin, 'viewer');
        const before = await viewer.get('/tenant');
        assert.equal(before.status, 200);
        assert.equal(before.body.slug, 'acme');
        const etag = before.headers.etag as string;
        assert.ok(etag);

        const edited = await site.admin.patch('/tenant', { name: 'Acme Ltd', timezone: 'Asia/Tokyo' }, { headers: { 'if-match': etag } });
        assert.equal(edited.status, 200, edited.text);
        assert.equal(edited.body.name, 'Acme Ltd');
        assert.equal(edited.body.version, before.body.version + 1);
        const stale = await site.admin.patch('/tenant', { name: 'Late' }, { headers: { 'if-match': etag } });
        assert.equal(stale.status, 412);
        const same = await site.admin.patch('/tenant', { name: 'Acme Ltd' });
        assert.equal(same.body.version, edited.body.version);
        assert.equal((await viewer.patch('/tenant', { name: 'Mine' })).status, 403);
    });

    test('every fault of an edit is named', async () => {
        const answer = await site.admin.patch('/tenant', { slug: 'other', name: null, timezone: 'Mars/Olympus', colour: 1, id: 'x' });
        assert.equal(answer.status, 422);
        assert.deepEqual(faults(answer.body), [
            'colour unknown_field', 'id read_only', 'name not_nullable', 'slug immutable', 'timezone bad_format']);
    });

    test('tenants are the operator\'s business', async () => {
        assert.equal((await site.admin.get('/tenants')).status, 403);
        assert.equal((await site.admin.post('/tenants', { name: 'Mine' })).status, 403);
        assert.equal((await site.admin.get(`/tenants/${site.tenant.tenant.id}`)).status, 403);
        assert.equal((await site.anonymous.get('/tenants')).status, 401);

        const operator = site.server.operator();
        const made = await operator.post('/tenants', { name: 'By Socket', slug: 'by-socket' });
        assert.equal(made.status, 201, made.text);
        assert.equal(made.headers.location, `/api/v1/tenants/${made.body.tenant.id}`);
        assert.deepEqual((await operator.get(`/tenants/${made.body.tenant.id}`)).body, made.body.tenant);
        assert.equal((await operator.post('/tenants', { name: 'Other', slug: 'by-socket' })).status, 409);
        const bad = await operator.post('/tenants', { slug: 'Not A Slug', admin_email: 'nobody', timezone: 'Mars', key: 'yes' });
        assert.deepEqual(faults(bad.body), [
            'admin_email bad_format', 'key wrong_type', 'name required', 'slug bad_format', 'timezone bad_format']);
        const walked: string[] = [];
        let cursor: string | null = null;
        do {
            const page: Json = (await operator.get(`/tenants?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`)).body;
            walked.push(...page.data.map((tenant: Json) => tenant.slug));
            cursor = page.next_cursor;
        } while (cursor !== null);
        assert.deepEqual(walked, [...walked].sort());
        assert.ok(walked.includes('acme') && walked.includes('by-socket'));
        assert.equal((await operator.get('/tenants')).body.total, walked.length);
    });
});
