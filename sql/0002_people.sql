-- Who uses Touchpoint, how they prove it, and whom they are in touch with.
-- Every key begins with the tenant, and so does every foreign key: that is the isolation.

CREATE TABLE tenants (
    id uuid NOT NULL PRIMARY KEY,
    slug {text} NOT NULL,
    name text NOT NULL,
    timezone text NOT NULL,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX tenants_slug ON tenants (slug);

CREATE TABLE users (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    email text NOT NULL,
    email_folded {text} NOT NULL,
    name text NOT NULL,
    name_folded {text} NOT NULL,
    role text NOT NULL,
    timezone text,
    locale text,
    password_hash text,
    active boolean NOT NULL,
    invited_at timestamptz,
    last_login_at timestamptz,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deactivated_at timestamptz,
    UNIQUE (tenant_id, id)
);
CREATE UNIQUE INDEX users_email ON users (tenant_id, email_folded);
CREATE INDEX users_name ON users (tenant_id, name_folded, id);

-- One-time secrets: an invitation, a password reset. Only the hash is kept.
CREATE TABLE user_tokens (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    purpose text NOT NULL,
    secret_hash {bytes} NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX user_tokens_user ON user_tokens (tenant_id, user_id);
CREATE INDEX user_tokens_expires ON user_tokens (expires_at);

CREATE TABLE api_keys (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    secret_hash {bytes} NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    expires_at timestamptz,
    revoked_at timestamptz,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX api_keys_list ON api_keys (tenant_id, created_at, id);
CREATE INDEX api_keys_user ON api_keys (tenant_id, user_id, created_at, id);

-- A browser that is signed in. (A "session" is a conversation: SPEC.md §1.)
CREATE TABLE logins (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    secret_hash {bytes} NOT NULL,
    csrf_hash {bytes} NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX logins_user ON logins (tenant_id, user_id);
CREATE INDEX logins_expires ON logins (expires_at);

-- Failed sign-ins, by address or by account, so that guessing is slow on every node. What
-- belongs to no tenant (addresses, unknown tenants) stands under the largest UUID.
CREATE TABLE login_failures (
    tenant_id uuid NOT NULL,
    subject {text} NOT NULL,
    failures bigint NOT NULL,
    first_at timestamptz NOT NULL,
    locked_until timestamptz,
    UNIQUE (tenant_id, subject)
);
CREATE INDEX login_failures_first ON login_failures (first_at);

CREATE TABLE idempotency_keys (
    tenant_id uuid NOT NULL,
    user_id uuid NOT NULL,
    key {text} NOT NULL,
    request_hash {bytes} NOT NULL,
    status bigint NOT NULL,
    location text,
    etag text,
    body text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    UNIQUE (tenant_id, user_id, key)
);
CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires_at);

CREATE TABLE companies (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    external_id {text},
    name text NOT NULL,
    name_folded {text} NOT NULL,
    domain text,
    industry text,
    phone text,
    address text,
    owner_id uuid,
    custom_fields text,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, owner_id) REFERENCES users (tenant_id, id)
);
CREATE UNIQUE INDEX companies_external_id ON companies (tenant_id, external_id)
    WHERE external_id IS NOT NULL;
CREATE INDEX companies_name ON companies (tenant_id, name_folded, id) WHERE deleted_at IS NULL;

CREATE TABLE customers (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id uuid NOT NULL,
    external_id {text},
    name text NOT NULL,
    name_folded {text} NOT NULL,
    emails text NOT NULL,
    phones text NOT NULL,
    email text,
    phone text,
    locale text,
    timezone text,
    company_id uuid,
    status {text} NOT NULL,
    owner_id uuid,
    tags text NOT NULL,
    custom_fields text,
    consent_email text NOT NULL,
    consent_sms text NOT NULL,
    consent_push text NOT NULL,
    consent_phone text NOT NULL,
    last_contacted_at timestamptz,
    last_contact_method text,
    contact_count bigint NOT NULL,
    last_response_at timestamptz,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, company_id) REFERENCES companies (tenant_id, id),
    FOREIGN KEY (tenant_id, owner_id) REFERENCES users (tenant_id, id)
);
CREATE UNIQUE INDEX customers_external_id ON customers (tenant_id, external_id)
    WHERE external_id IS NOT NULL;
CREATE INDEX customers_name ON customers (tenant_id, name_folded, id) WHERE deleted_at IS NULL;
CREATE INDEX customers_status ON customers (tenant_id, status, name_folded, id)
    WHERE deleted_at IS NULL;
CREATE INDEX customers_owner ON customers (tenant_id, owner_id, name_folded, id)
    WHERE deleted_at IS NULL AND owner_id IS NOT NULL;
CREATE INDEX customers_company ON customers (tenant_id, company_id, name_folded, id)
    WHERE deleted_at IS NULL AND company_id IS NOT NULL;

-- Who has which tag, and the customer's name once more, so that "all with this tag" is an
-- index range in the order of names.
CREATE TABLE customer_tags (
    tenant_id uuid NOT NULL,
    tag {text} NOT NULL,
    name_folded {text} NOT NULL,
    customer_id uuid NOT NULL,
    UNIQUE (tenant_id, customer_id, tag),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customers (tenant_id, id)
);
CREATE INDEX customer_tags_name ON customer_tags (tenant_id, tag, name_folded, customer_id);

-- The words by which a person is found: folded words of the names, whole addresses and
-- their parts, numbers, the external id. Prefix search is a range of this index, alike on
-- both stores. A word with `=` before it is a whole address or number. Deleted customers
-- have neither words nor tags here.
CREATE TABLE customer_words (
    tenant_id uuid NOT NULL,
    word {text} NOT NULL,
    customer_id uuid NOT NULL,
    UNIQUE (tenant_id, word, customer_id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customers (tenant_id, id)
);
CREATE INDEX customer_words_customer ON customer_words (tenant_id, customer_id, word);

-- Touches that lie ahead: they count in the customer's summary once their start has passed.
CREATE TABLE planned_touches (
    tenant_id uuid NOT NULL,
    interaction_id uuid NOT NULL,
    customer_id uuid NOT NULL,
    outbound boolean NOT NULL,
    method text NOT NULL,
    started_at timestamptz NOT NULL,
    UNIQUE (tenant_id, interaction_id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customers (tenant_id, id)
);
CREATE INDEX planned_touches_due ON planned_touches (started_at, tenant_id, interaction_id);

CREATE TABLE customer_notes (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    text text NOT NULL,
    created_by uuid,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    deleted_at timestamptz,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customers (tenant_id, id)
);
CREATE INDEX customer_notes_list ON customer_notes (tenant_id, customer_id, created_at, id)
    WHERE deleted_at IS NULL;

-- A bounded conversation with one customer.
CREATE TABLE sessions (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    channel text,
    subject text,
    started_by uuid,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    version bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES customers (tenant_id, id)
);
CREATE INDEX sessions_customer ON sessions (tenant_id, customer_id, started_at, id);
