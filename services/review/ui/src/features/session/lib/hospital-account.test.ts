import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { type AccountState, HospitalAccount, UNUSED_MS } from '@/features/session/lib/hospital-account';
import { storedToken } from '@/lib/session';
import { tokenOf } from '@/testing/tokens';

const ISSUER = 'https://id.example/realms/h';
const HERE = window.location.origin;
const SERVER = { issuer: ISSUER, clientId: 'consilium-review', scope: 'openid profile', roleClaim: 'role' };
const LIFE_S = 900;

/** The hospital's server: what it answers can be changed, and what it was asked is kept. */
class Server {
  asked: URLSearchParams[] = [];
  left: URL | null = null;
  metadata: object = {
    issuer: ISSUER,
    authorization_endpoint: `${ISSUER}/auth`,
    token_endpoint: `${ISSUER}/token`,
    end_session_endpoint: `${ISSUER}/logout`,
  };
  access: object = { sub: 'u-1', role: ['clinician'], exp: 1 };
  identity: object = { iss: ISSUER, aud: 'consilium-review', sub: 'u-1', name: 'Dr Grace' };
  refusal: { error: string } | null = null;
  away = false;

  fetch = (url: string, init: { body?: URLSearchParams }): Promise<Response> => {
    if (this.away) return Promise.reject(new TypeError('Failed to fetch'));
    if (url.endsWith('/.well-known/openid-configuration')) return Promise.resolve(json(200, this.metadata));
    const body = new URLSearchParams(init.body);
    this.asked.push(body);
    if (this.refusal !== null) return Promise.resolve(json(400, this.refusal));
    const nonce = this.left?.searchParams.get('nonce');
    return Promise.resolve(
      json(200, {
        token_type: 'Bearer',
        access_token: tokenOf({ ...this.access, jti: `${this.asked.length}` }),
        id_token: tokenOf({ nonce, ...this.identity }),
        refresh_token: `refresh-${this.asked.length}`,
        expires_in: LIFE_S,
      }),
    );
  };
}

function json(status: number, body: object): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } });
}

let server: Server;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'] });
  server = new Server();
  vi.stubGlobal('fetch', server.fetch);
  // The page's own origin counts as https.
  vi.stubGlobal('isSecureContext', true);
  const leave = (url: string | URL) => void (server.left = new URL(url));
  vi.spyOn(window.location, 'assign').mockImplementation(leave);
  vi.spyOn(window.location, 'replace').mockImplementation(leave);
  sessionStorage.clear();
  window.history.replaceState(null, '', '/#/case/17');
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** What the account says next, once `wanted` holds. */
async function until(account: HospitalAccount, wanted: (state: AccountState) => boolean): Promise<AccountState> {
  await vi.waitFor(() => expect(wanted(account.snapshot())).toBe(true));
  return account.snapshot();
}

async function started(): Promise<HospitalAccount> {
  const account = new HospitalAccount(SERVER);
  await account.start();
  return account;
}

/** Leaves for the server from the page that is open. */
async function leave(): Promise<URL> {
  const account = await started();
  void account.signIn();
  await vi.waitFor(() => expect(server.left).not.toBeNull());
  return server.left as URL;
}

/** Comes back from the server with an answer to what was asked. */
async function comeBack(answer: Record<string, string> = { code: 'c-1' }): Promise<HospitalAccount> {
  const asked = await leave();
  const query = new URLSearchParams({ ...answer, state: asked.searchParams.get('state') ?? '' });
  window.history.replaceState(null, '', `/signed-in?${query.toString()}`);
  return started();
}

function noticeOf(account: HospitalAccount): string {
  const state = account.snapshot();
  if (state.phase !== 'out') throw new Error(`still ${state.phase}`);
  return state.notice?.text ?? '';
}

test('where nobody has signed in yet, nothing is said', async () => {
  expect((await started()).snapshot()).toEqual({ phase: 'out', notice: null });
});

test('the server is asked for a code, with a challenge, a state and a nonce', async () => {
  const asked = await leave();
  expect(asked.origin + asked.pathname).toBe(`${ISSUER}/auth`);
  const said = Object.fromEntries(asked.searchParams);
  expect(said).toMatchObject({
    response_type: 'code',
    client_id: 'consilium-review',
    redirect_uri: `${HERE}/signed-in`,
    scope: 'openid profile',
    code_challenge_method: 'S256',
  });
  for (const name of ['code_challenge', 'state', 'nonce']) expect(said[name]).toMatch(/.{20,}/);
});

test('who comes back is signed in where they were going, and the address holds nothing of it', async () => {
  const account = await comeBack();
  expect(account.snapshot()).toMatchObject({ phase: 'in', user: { name: 'Dr Grace', subject: 'u-1', role: 'clinician' } });
  expect(window.location.href).toBe(`${HERE}/#/case/17`);
  const asked = Object.fromEntries(server.asked[0] ?? []);
  expect(asked).toMatchObject({ grant_type: 'authorization_code', code: 'c-1' });
  expect(asked.code_verifier).toMatch(/.{43,}/);
});

test('a computer whose clock is wrong makes no difference', async () => {
  vi.setSystemTime(new Date('2001-01-01'));
  expect((await comeBack()).snapshot().phase).toBe('in');
});

test.each([
  [{ error: 'access_denied' }, 'does not let you in'],
  [{ error: 'invalid_scope' }, '(invalid_scope)'],
  [{ error: '<b>odd</b>' }, '(an error of no standard)'],
  [{ error: 'temporarily_unavailable' }, 'Try again'],
])('an answer without a code is told in words: %o', async (answer, words) => {
  const account = await comeBack(answer);
  expect(noticeOf(account)).toContain(words);
  expect([window.location.href, storedToken()]).toEqual([`${HERE}/#/case/17`, null]);
});

test('an answer that this tab has not asked for is put away unused', async () => {
  window.history.replaceState(null, '', '/signed-in?code=c-9&state=made-up');
  expect(noticeOf(await started())).toContain('belongs to no sign-in of this tab');
  expect([window.location.href, server.asked.length]).toEqual([`${HERE}/#/`, 0]);
});

test('an answer that comes a second time leaves the session alone', async () => {
  await comeBack();
  const state = server.left?.searchParams.get('state') ?? '';
  window.history.replaceState(null, '', `/signed-in?code=c-1&state=${state}`);
  expect((await started()).snapshot().phase).toBe('in');
});

test.each([
  ['of another sign-in', { nonce: 'another' }],
  ['of another server', { iss: 'https://other.example' }],
  ['for another client', { aud: 'other' }],
])('an ID token %s signs nobody in', async (_, claims) => {
  server.identity = { ...server.identity, ...claims };
  const account = await comeBack();
  expect(noticeOf(account)).toMatch(/cannot use|do not fit together/);
  expect(sessionStorage.length).toBe(0);
});

test.each([['admin'], ['clinician', 'auditor'], []])('roles that the page is not for are told so: %s %s', async (...role) => {
  server.access = { sub: 'u-1', role };
  const account = await comeBack();
  expect(noticeOf(account)).toContain('no role for this page');
  expect(storedToken()).toBeNull();
});

test.each([
  [{ issuer: 'https://other.example' }, '(issuer)'],
  [{ token_endpoint: 'https://other.example/token' }, '(token_endpoint)'],
])('a server that is not what was configured is not gone to: %o', async (changed, words) => {
  server.metadata = { ...server.metadata, ...changed };
  const account = await started();
  await account.signIn();
  expect([noticeOf(account).includes(words), server.left]).toEqual([true, null]);
});

test('a server that is away, and a page without TLS, are told so', async () => {
  const account = await started();
  server.away = true;
  await account.signIn();
  expect(noticeOf(account)).toContain('cannot be reached');
  vi.stubGlobal('isSecureContext', false);
  await account.signIn();
  expect(noticeOf(account)).toContain('not encrypted');
});

test('a minute before its end the token is renewed', async () => {
  await comeBack();
  const first = storedToken();
  await vi.advanceTimersByTimeAsync((LIFE_S - 61) * 1000);
  expect(server.asked.length).toBe(1);
  await vi.advanceTimersByTimeAsync(2000);
  expect(Object.fromEntries(server.asked[1] ?? [])).toMatchObject({ grant_type: 'refresh_token', refresh_token: 'refresh-1' });
  expect(storedToken()).not.toBe(first);
});

test('requests that are refused at once share one renewal', async () => {
  const account = await comeBack();
  const token = storedToken() ?? '';
  expect(await Promise.all([account.renew(token), account.renew(token)])).toEqual([true, true]);
  expect(await account.renew(token)).toBe(true);
  expect(server.asked.length).toBe(2);
});

test('while the server is away the session stays, and is renewed when it is back', async () => {
  const account = await comeBack();
  const token = storedToken() ?? '';
  server.away = true;
  await expect(account.renew(token)).rejects.toThrow('No answer');
  await vi.advanceTimersByTimeAsync((LIFE_S - 59) * 1000);
  expect(account.snapshot().phase).toBe('in');
  server.away = false;
  await vi.advanceTimersByTimeAsync(11_000);
  expect([account.snapshot().phase, storedToken() === token]).toEqual(['in', false]);
});

test('a session that the server has ended is over', async () => {
  const account = await comeBack();
  server.refusal = { error: 'invalid_grant' };
  expect(await account.renew(storedToken() ?? '')).toBe(false);
  expect(noticeOf(account)).toContain('Your session has ended');
  await until(account, () => sessionStorage.length === 0);
});

test('a tab that nobody uses is not renewed', async () => {
  const account = await comeBack();
  // The first renewal comes before the limit, the second after it.
  await vi.advanceTimersByTimeAsync(2 * UNUSED_MS);
  expect(noticeOf(account)).toContain('nobody had used it');
  expect(server.asked.length).toBe(2);
  await until(account, () => sessionStorage.length === 0);
});

test('a tab that is used goes on', async () => {
  const account = await comeBack();
  for (let minutes = 0; minutes < 60; minutes += 5) {
    window.dispatchEvent(new Event('keydown'));
    await vi.advanceTimersByTimeAsync(5 * 60_000);
  }
  expect(account.snapshot().phase).toBe('in');
});

test('signing out ends the session here and asks the server to end its own', async () => {
  const account = await comeBack();
  void account.signOut();
  await vi.waitFor(() => expect(server.left?.pathname).toContain('/logout'));
  expect([storedToken(), account.snapshot().phase]).toEqual([null, 'busy']);
  const said = server.left?.searchParams;
  expect(said?.get('post_logout_redirect_uri')).toBe(`${HERE}/signed-out`);
  expect(said?.get('id_token_hint')).toContain('e30.');
  window.history.replaceState(null, '', `/signed-out?state=${said?.get('state') ?? ''}`);
  expect(noticeOf(await started())).toContain('here and at your hospital’s server');
  expect([window.location.href, sessionStorage.length]).toEqual([`${HERE}/#/`, 0]);
});

test('a sign-out that the server does not take, or does not confirm, says so', async () => {
  await comeBack();
  // Loaded again, so that the server has to be asked what it can do.
  const account = await started();
  server.away = true;
  await account.signOut();
  expect(noticeOf(account)).toContain('has not confirmed');
  window.history.replaceState(null, '', '/signed-out');
  expect(noticeOf(await started())).toContain('has not confirmed');
  expect(sessionStorage.length).toBe(0);
});

test('what is renewed while somebody signs out is thrown away', async () => {
  const account = await comeBack();
  const renewal = account.renew(storedToken() ?? '');
  void account.signOut();
  expect(await renewal).toBe(false);
  await until(account, () => storedToken() === null);
});

test('a newest token that the suite does not accept is told so', async () => {
  const account = await comeBack();
  account.refused();
  expect(noticeOf(account)).toContain('did not accept');
});
