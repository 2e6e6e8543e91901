import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addSigner, faults, invite, signIn } from '../kit/people.ts';
import { forEachStore, useServer } from '../kit/stores.ts';

const password = 'correct horse battery';

forEachStore((store) => {
    const site = useServer(store);

    test('a browser signs in by cookie, and changes need the CSRF token', async () => {
        const user = await addSigner(site.admin, site.anonymous, 'agent', password);
        const answer = await site.anonymous.post('/login', { tenant: 'acme', email: user.email.toUpperCase(), password });
        assert.equal(answer.status, 200, answer.text);
        const cookie = answer.headers['set-cookie']![0]!;
        assert.match(cookie, /^tp_session=[A-Za-z0-9_-]{86}; Path=\/; Max-Age=[0-9]+; HttpOnly; SameSite=Lax$/);
        assert.equal(answer.body.user.id, user.id);
        assert.equal(answer.body.user.has_password, true);
        assert.ok(answer.body.user.last_login_at);

        const { browser, reader } = await signIn(site.anonymous, user.email, password);
        assert.equal((await reader.get('/me')).body.user.id, user.id);
        assert.equal((await reader.patch('/me', { name: 'No token' })).status, 403);
        assert.equal((await reader.with({ 'x-csrf-token': 'wrong' }).patch('/me', { name: 'Wrong token' })).status, 403);
        assert.equal((await browser.with({ origin: 'https://evil.example' }).patch('/me', { name: 'Foreign page' })).status, 403);
        assert.equal((await browser.patch('/me', { name: 'Right' })).status, 200);

        const out = await browser.post('/logout');
        assert.equal(out.status, 204);
        assert.match(out.headers['set-cookie']![0]!, /^tp_session=; .*Max-Age=0/);
        assert.equal((await reader.get('/me')).status, 401);
    });

    test('whatever was wrong, the answer is the same', async () => {
        const user = await addSigner(site.admin, site.anonymous, 'viewer', password);
        const invited = await invite(site.admin, 'viewer');
        const wrong = [
            { tenant: 'acme', email: user.email, password: 'not the password' },
            { tenant: 'acme', email: 'nobody@acme.example', password },
            { tenant: 'acme', email: invited.email, password },
            { tenant: 'no-such-tenant', email: user.email, password },
        ];
        const answers = [];
        for (const body of wrong) {
            const { status, body: problem } = await site.anonymous.post('/login', body);
            answers.push({ status, ...problem, request_id: '', instance: '' });
        }
        assert.equal(answers[0].status, 401);
        for (const answer of answers) assert.deepEqual(answer, answers[0]);
        const bad = await site.anonymous.post('/login', { password: '', user: 'x' });
        assert.deepEqual(faults(bad.body), ['email required', 'password too_short', 'user unknown_field']);
    });

    test('a token sets one password, once', async () => {
        const user = await invite(site.admin, 'agent');
        const set = (body: unknown) => site.anonymous.post('/password', body);
        assert.deepEqual(faults((await set({ token: 'tpt_x', password })).body), ['token invalid_token']);
        assert.deepEqual(faults((await set({ token: user.token, password: 'short' })).body), ['password too_short']);
        assert.deepEqual(faults((await set({ token: user.token, password: 'x'.repeat(257) })).body), ['password too_long']);
        assert.deepEqual(faults((await set({ token: user.token, password: user.email.toUpperCase() })).body), ['password guessable']);
        const forged = user.token.slice(0, -1) + (user.token.endsWith('A') ? 'Q' : 'A');
        assert.deepEqual(faults((await set({ token: forged, password })).body), ['token invalid_token']);
        const both = await Promise.all([set({ token: user.token, password }), set({ token: user.token, password: `${password} 2` })]);
        assert.deepEqual(both.map((answer) => answer.status).sort(), [204, 422]);

        const reset = await site.admin.post(`/users/${user.id}/reset`);
        const newest = await site.admin.post(`/users/${user.id}/reset`);
        assert.ok(Date.parse(newest.body.token_expires_at) < Date.now() + 25 * 3_600_000);
        assert.equal((await set({ token: reset.body.token, password })).status, 422, 'a later reset voids it');
        assert.equal((await set({ token: newest.body.token, password })).status, 204);
    });

    test('a new password signs out every other browser', async () => {
        const user = await addSigner(site.admin, site.anonymous, 'agent', password);
        const here = await signIn(site.anonymous, user.email, password);
        const there = await signIn(site.anonymous, user.email, password);
        const change = (current_password: string, new_password: string) =>
            here.browser.post('/me/password', { current_password, new_password });
        assert.deepEqual(faults((await change('wrong password', 'another good one')).body), ['current_password wrong']);
        assert.deepEqual(faults((await change(password, user.name.padEnd(12))).body), ['new_password guessable']);
        assert.equal((await change(password, 'another good one')).status, 204);
        assert.equal((await here.reader.get('/me')).status, 200);
        assert.equal((await there.reader.get('/me')).status, 401);
        assert.equal((await site.anonymous.post('/login', { email: user.email, password })).status, 401);

        assert.equal((await site.admin.post(`/users/${user.id}/revoke-sessions`)).status, 204);
        assert.equal((await here.reader.get('/me')).status, 401);
        const fresh = await signIn(site.anonymous, user.email, 'another good one');
        assert.equal((await site.admin.post(`/users/${user.id}/deactivate`)).status, 200);
        assert.equal((await fresh.reader.get('/me')).status, 401);
        assert.equal((await site.anonymous.post('/login', { email: user.email, password: 'another good one' })).status, 401);
    });

    test('guessing locks the account, however many guess at once', async () => {
        const user = await addSigner(site.admin, site.anonymous, 'agent', password);
        const guess = (text: string) => site.anonymous.post('/login', { tenant: 'acme', email: user.email, password: text });
        for (let i = 0; i < 3; i++) assert.equal((await guess(`guess ${i}`)).status, 401);
        assert.equal((await guess(password)).status, 200, 'the right one forgets the wrong ones');
        const answers = await Promise.all(Array.from({ length: 14 }, (_, i) => guess(`guess ${i}`)));
        const count = (status: number) => answers.filter((answer) => answer.status === status).length;
        assert.equal(count(401), 10);
        assert.equal(count(429), 4);
        const locked = await guess(password);
        assert.equal(locked.status, 429);
        const wait = Number(locked.headers['retry-after']);
        assert.ok(wait > 800 && wait <= 900, `${wait}`);

        // A new password lets them in again.
        const reset = await site.admin.post(`/users/${user.id}/reset`);
        assert.equal((await site.anonymous.post('/password', { token: reset.body.token, password: 'a third good one' })).status, 204);
        assert.equal((await guess('a third good one')).status, 200);
    });

    test('the operator sets a password', async () => {
        const user = await invite(site.admin, 'viewer');
        const set = (body: unknown) => site.server.operator().post(`/users/${user.id}/password`, body);
        assert.deepEqual(faults((await set({ password: 'short' })).body), ['password too_short']);
        assert.deepEqual(faults((await set({ password: user.email })).body), ['password guessable']);
        assert.equal((await set({ password })).status, 204);
        assert.equal((await site.anonymous.post('/login', { email: user.email, password })).status, 200);
        const nobody = await site.server.operator().post('/users/01890000-0000-7000-8000-000000000000/password', { password });
        assert.equal(nobody.status, 404);
        assert.equal((await site.admin.post(`/users/${user.id}/password`, { password })).status, 403);
    });

    test('with several tenants, one must be named', async () => {
        await site.site.createTenant('Second', 'admin@second.example');
        const answer = await site.anonymous.post('/login', { email: 'admin@acme.example', password });
        assert.deepEqual(faults(answer.body), ['tenant required']);
    });
});
