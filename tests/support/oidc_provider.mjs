// A hospital's OIDC server for tests: the certified `oidc-provider`, with one public client and people who have roles.
//
//   node oidc_provider.mjs '{"library": "…/oidc-provider/lib/index.js", "port": 1, "page": "http://…", "people": {"name": "role"},
//                            "password": "…", "accessTokenS": 10}'
//
// Like the realm in infra/keycloak it needs PKCE, gives refresh tokens that are good for one use, and puts the role into
// access tokens as a list. Each request is a line of JSON on standard output.
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const { library, port, page, people, password, accessTokenS } = JSON.parse(process.argv[2]);
const { Provider } = await import(pathToFileURL(library).href);
const RESOURCE = 'urn:consilium';

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: 'consilium-review',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [`${page}/signed-in`],
      post_logout_redirect_uris: [`${page}/signed-out`],
    },
  ],
  scopes: ['openid', 'profile'],
  claims: { openid: ['sub'], profile: ['name'] },
  conformIdTokenClaims: false,
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, name: `Dr ${sub}` }) }),
  extraTokenClaims: (_, token) => ({ role: [people[token.accountId]] }),
  issueRefreshToken: () => true,
  rotateRefreshToken: true,
  // Nobody is asked whether the hospital's own page may know who they are.
  async loadExistingGrant(ctx) {
    const grant = new provider.Grant({ accountId: ctx.oidc.session.accountId, clientId: ctx.oidc.client.clientId });
    grant.addOIDCScope('openid profile');
    grant.addResourceScope(RESOURCE, 'openid profile');
    await grant.save();
    return grant;
  },
  ttl: {
    AccessToken: accessTokenS, AuthorizationCode: 60, IdToken: 600, RefreshToken: 600, Interaction: 600, Session: 600, Grant: 600,
  },
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: 'openid profile', audience: 'consilium', accessTokenFormat: 'jwt' }),
    },
    rpInitiatedLogout: {
      enabled: true,
      // Whoever comes with an ID token is not asked again, as Keycloak does not.
      logoutSource: (ctx, form) => {
        const yes = '<input form="op.logoutForm" type="hidden" name="logout" value="yes">';
        ctx.body = html(`${form}${yes}<script>document.forms[0].submit()</script>`);
      },
    },
  },
});

provider.use(async (ctx, next) => {
  console.log(JSON.stringify({ method: ctx.method, path: ctx.path }));
  const uid = /^\/interaction\/([\w-]+)$/.exec(ctx.path)?.[1];
  if (uid === undefined) return next();
  if (ctx.method === 'GET') {
    ctx.body = html(`<h1>The hospital's sign-in</h1><form method="post">
      <label>Name <input name="name" autofocus></label> <label>Password <input name="password" type="password"></label>
      <button name="do" value="sign-in">Sign in</button> <button name="do" value="cancel">Cancel</button></form>`);
    return undefined;
  }
  const said = new URLSearchParams(await bodyOf(ctx.req));
  const name = said.get('name');
  const known = said.get('do') === 'sign-in' && name in people && said.get('password') === password;
  const result = known ? { login: { accountId: name } } : { error: 'access_denied' };
  return provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
});
provider.on('grant.success', (ctx) => console.log(JSON.stringify({ grant: ctx.oidc.params.grant_type })));

function html(body) {
  return `<!doctype html><html lang="en"><title>Hospital</title><link rel="icon" href="data:,"><body>${body}</body></html>`;
}

async function bodyOf(request) {
  let body = '';
  for await (const piece of request) body += piece;
  return body;
}

createServer(provider.callback()).listen(port, '127.0.0.1');
