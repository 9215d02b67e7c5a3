import { UserManager, WebStorageStateStore } from 'oidc-client-ts';

import { Unfit } from '@/features/session/lib/notices';
import type { HospitalServer } from '@/lib/contract';

/** Where the server sends people back to, below this origin; registered there. */
export const SIGNED_IN = '/signed-in';
export const SIGNED_OUT = '/signed-out';

const PATIENCE_S = 15;

/** What speaks to the hospital's server: code flow with PKCE, state and nonce; all that it keeps ends with the tab. */
export function managerOf({ issuer, clientId, scope }: HospitalServer): UserManager {
  const store = new WebStorageStateStore({ store: window.sessionStorage });
  return new UserManager({
    authority: issuer,
    client_id: clientId,
    scope,
    redirect_uri: window.location.origin + SIGNED_IN,
    post_logout_redirect_uri: window.location.origin + SIGNED_OUT,
    stateStore: store,
    userStore: store,
    requestTimeoutInSeconds: PATIENCE_S,
    // Renewal is ours to time: nobody's session is kept awake for an empty chair.
    automaticSilentRenew: false,
  });
}

/**
 * Asks the server what it can do (OpenID Connect Discovery 1.0, section 4.3).
 *
 * Throws Unfit: it names another issuer, or gives tokens at another origin than the page's policy admits.
 */
export async function checkServer(manager: UserManager): Promise<void> {
  const { issuer, token_endpoint } = await manager.metadataService.getMetadata();
  const { authority } = manager.settings;
  if (issuer !== authority) throw new Unfit('issuer');
  if (new URL(token_endpoint ?? '', authority).origin !== new URL(authority).origin) throw new Unfit('token_endpoint');
}

/** Takes the server's answer out of the address bar and the history, at once; null when the address holds none. */
export function takeAnswerFromUrl(): URL | null {
  const url = new URL(window.location.href);
  if (url.pathname !== SIGNED_IN && url.pathname !== SIGNED_OUT) return null;
  window.history.replaceState(null, '', '/#/');
  return url;
}
