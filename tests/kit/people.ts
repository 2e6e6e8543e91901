// Users of a tenant under test, and what they prove it with.
import assert from 'node:assert/strict';
import type { Client, Json } from './client.ts';

export type Role = 'viewer' | 'agent' | 'manager' | 'admin';
export const roles: readonly Role[] = ['viewer', 'agent', 'manager', 'admin'];

let made = 0;

/** An invited user; `token` is the invitation. */
export async function invite(admin: Client, role: Role, fields: Json = {}): Promise<Json> {
    made += 1;
    const answer = await admin.post('/users', {
        email: `${role}${made}@people.example`,
        name: `${role} ${made}`,
        role,
        ...fields,
    });
    assert.equal(answer.status, 201, answer.text);
    return answer.body;
}

/** A user and a client with a key of theirs. */
export async function addPerson(admin: Client, role: Role, fields: Json = {}): Promise<{ user: Json; client: Client }> {
    const user = await invite(admin, role, fields);
    const key = await admin.post('/keys', { user_id: user.id, name: 'test' });
    assert.equal(key.status, 201, key.text);
    return { user, client: admin.withKey(key.body.key) };
}

/** A user with a password. */
export async function addSigner(admin: Client, anonymous: Client, role: Role, password: string): Promise<Json> {
    const user = await invite(admin, role);
    const answer = await anonymous.post('/password', { token: user.token, password });
    assert.equal(answer.status, 204, answer.text);
    return user;
}

/** A browser that is signed in: its cookie, and the token that changes need beside it. */
export async function signIn(anonymous: Client, email: string, password: string): Promise<{ browser: Client; reader: Client; body: Json }> {
    const answer = await anonymous.post('/login', { email, password });
    assert.equal(answer.status, 200, answer.text);
    const cookie = answer.headers['set-cookie']![0]!.split(';')[0]!;
    const reader = anonymous.with({ cookie });
    return { browser: reader.with({ 'x-csrf-token': answer.body.csrf_token }), reader, body: answer.body };
}

/** The fields that are at fault. */
export function faults(body: Json): string[] {
    return (body.errors ?? []).map((fault: Json) => `${fault.field} ${fault.code}`).sort();
}
