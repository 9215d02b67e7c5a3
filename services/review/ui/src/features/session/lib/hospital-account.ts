import { SigninState, type User as ServerUser, type UserManager } from 'oidc-client-ts';

import { watchInput } from '@/features/session/lib/last-input';
import {
  ENDED,
  INSECURE,
  mayPass,
  NO_ROLE,
  NOT_ACCEPTED,
  type Notice,
  noticeOf,
  PAGE_ROLES,
  SIGNED_OUT,
  SIGNED_OUT_HERE,
  STRAY,
  Unfit,
  UNUSED,
} from '@/features/session/lib/notices';
import { checkServer, managerOf, SIGNED_IN, takeAnswerFromUrl } from '@/features/session/lib/server';
import type { HospitalServer } from '@/lib/contract';
import { Problem, type TokenKeeper } from '@/lib/http';
import { readUser, storedToken, storeToken, type User } from '@/lib/session';

export type AccountState =
  | { phase: 'busy'; doing: string }
  | { phase: 'out'; notice: Notice | null }
  | { phase: 'in'; user: User };

/** How long before its end a token is renewed, where it lives long enough for that. */
const AHEAD_S = 60;
const RETRY_MS = 10_000;
/** setTimeout takes at most 2^31 - 1 ms. */
const LONGEST_MS = 2 ** 31 - 1;
/** A tab that nobody has touched for this long is not renewed: 45 CFR 164.312(a)(2)(iii), automatic logoff. */
export const UNUSED_MS = 15 * 60_000;

/** The clinician's account at the hospital's OIDC server, as this tab knows it. */
export class HospitalAccount implements TokenKeeper {
  private state: AccountState = { phase: 'busy', doing: 'Signing in' };
  private readonly watchers = new Set<() => void>();
  private readonly manager: UserManager;
  private readonly sinceInput = watchInput();
  private started: Promise<void> | null = null;
  private renewing: Promise<boolean> | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly known: HospitalServer) {
    this.manager = managerOf(known);
  }

  subscribe = (watcher: () => void): (() => void) => {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  };

  snapshot = (): AccountState => this.state;

  /** Takes up what the address says the server answered, else this tab's session, else nobody is signed in. */
  start(): Promise<void> {
    this.started ??= this.takeUp();
    return this.started;
  }

  /** Leaves for the server, to come back to the page that is open now. */
  async signIn(): Promise<void> {
    if (!window.isSecureContext) return this.leave(INSECURE);
    this.become({ phase: 'busy', doing: 'Going to your hospital’s server' });
    const returnTo = window.location.hash || '#/';
    try {
      await checkServer(this.manager);
      // Ends when this page is shown again, by the way back.
      await this.manager.signinRedirect({ nonce: crypto.randomUUID(), state: returnTo });
      this.leave(null);
    } catch (error) {
      this.leave(noticeOf(error));
    }
  }

  /** Ends the session here and at the server (OpenID Connect RP-Initiated Logout 1.0). */
  async signOut(): Promise<void> {
    const kept = await this.manager.getUser();
    this.become({ phase: 'busy', doing: 'Signing out' });
    await this.forget();
    try {
      await checkServer(this.manager);
      await this.manager.signoutRedirect({ id_token_hint: kept?.id_token, state: 'asked', redirectMethod: 'replace' });
    } catch {
      // Said below: the server has not confirmed anything.
    }
    this.leave(SIGNED_OUT_HERE);
  }

  async renew(refused: string): Promise<boolean> {
    // Another request has been here before.
    if (storedToken() !== refused) return storedToken() !== null;
    try {
      return await this.renewOnce();
    } catch {
      throw new Problem(0, 'No answer', 'Your hospital’s sign-in server cannot be reached. This page will try again.');
    }
  }

  refused(): void {
    if (this.state.phase === 'in') this.end(NOT_ACCEPTED);
  }

  private async takeUp(): Promise<void> {
    const answer = takeAnswerFromUrl();
    if (answer?.pathname === SIGNED_IN) return this.finishSignIn(answer);
    if (answer !== null) return this.finishSignOut(answer);
    return this.goOn(null);
  }

  private async finishSignIn(answer: URL): Promise<void> {
    const asked = await this.manager.settings.stateStore.get(answer.searchParams.get('state') ?? '');
    // The way back through the history leads here with an answer that has done its work.
    if (asked === null) return this.goOn(STRAY);
    const { data: returnTo } = await SigninState.fromStorageString(asked);
    window.history.replaceState(null, '', `/${String(returnTo)}`);
    try {
      const user = await this.manager.signinRedirectCallback(answer.href);
      const { iss, aud } = user.profile;
      // OpenID Connect Core 1.0, section 3.1.3.7, items 2 and 3; the token came over the connection of item 6.
      if (iss !== this.known.issuer || ![aud].flat().includes(this.known.clientId)) throw new Unfit('ID token');
      this.admit(user);
    } catch (error) {
      this.end(noticeOf(error));
    }
  }

  private async finishSignOut(answer: URL): Promise<void> {
    try {
      const { state } = await this.manager.signoutRedirectCallback(answer.href);
      return this.goOn(state ? SIGNED_OUT : SIGNED_OUT_HERE);
    } catch {
      return this.goOn(SIGNED_OUT_HERE);
    }
  }

  /** The session that this tab has already; where it has none, what to say. */
  private async goOn(otherwise: Notice | null): Promise<void> {
    const kept = await this.manager.getUser();
    if (kept === null) this.leave(otherwise);
    else this.admit(kept);
  }

  private admit(found: ServerUser): void {
    const user = readUser(found.access_token, this.known.roleClaim);
    if (user === null || !PAGE_ROLES.includes(user.role)) return this.leave(NO_ROLE);
    storeToken(found.access_token);
    const { name, preferred_username: login } = found.profile;
    this.become({ phase: 'in', user: { ...user, name: name ?? login ?? user.name } });
    const left = found.expires_in;
    if (left !== undefined) this.wakeIn(Math.max(left - AHEAD_S, left / 2) * 1000);
  }

  private wakeIn(ms: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.keep(), Math.min(Math.max(ms, 0), LONGEST_MS));
  }

  private async keep(): Promise<void> {
    if (this.sinceInput() > UNUSED_MS) return this.end(UNUSED);
    try {
      await this.renewOnce();
    } catch {
      this.wakeIn(RETRY_MS);
    }
  }

  // A refresh token is good for one use: two at once would end the session.
  private renewOnce(): Promise<boolean> {
    this.renewing ??= this.askForAnother().finally(() => {
      this.renewing = null;
    });
    return this.renewing;
  }

  private async askForAnother(): Promise<boolean> {
    try {
      const kept = await this.manager.getUser();
      const user = kept?.refresh_token ? await this.manager.signinSilent() : null;
      if (this.state.phase !== 'in') {
        // Signed out in the meantime.
        await this.forget();
        return false;
      }
      if (user === null) this.end(ENDED);
      else this.admit(user);
      return storedToken() !== null;
    } catch (error) {
      if (mayPass(error)) throw error;
      this.end(ENDED);
      return false;
    }
  }

  private end(notice: Notice): void {
    void this.forget();
    this.leave(notice);
  }

  private leave(notice: Notice | null): void {
    clearTimeout(this.timer);
    storeToken(null);
    this.become({ phase: 'out', notice });
  }

  private async forget(): Promise<void> {
    clearTimeout(this.timer);
    storeToken(null);
    await this.manager.removeUser();
  }

  private become(state: AccountState): void {
    this.state = state;
    for (const watcher of this.watchers) watcher();
  }
}
