import type { ReactNode } from 'react';

import { Icon } from '@/components/icon';
import { Mark } from '@/components/mark';
import { worklistHref } from '@/lib/routes';
import { useSession } from '@/lib/session';
import { useTheme } from '@/lib/theme';

/** What surrounds every page: the name, who is signed in, and what this is not. */
export function Shell({ children }: { children: ReactNode }) {
  const { user, signOut } = useSession();
  const [theme, toggleTheme] = useTheme();
  return (
    <>
      <a className="skip-link" href="#main" onClick={skipToMain}>
        Skip to content
      </a>
      <header className="top">
        <a className="brand" href={worklistHref}>
          <Mark />
          Consilium
        </a>
        <p className="disclaimer">Decision support, not a medical device · model trained on synthetic data</p>
        <div className="top-end">
          <button type="button" className="button-quiet" onClick={toggleTheme} aria-label={themeLabel(theme)} title={themeLabel(theme)}>
            <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
          </button>
          <span className="who">
            {user.name} <span className="who-role">{user.role}</span>
          </span>
          <button type="button" className="button-quiet" onClick={signOut}>
            Sign out
          </button>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

function themeLabel(theme: 'light' | 'dark'): string {
  return theme === 'dark' ? 'Use light colours' : 'Use dark colours';
}

// The fragment names the page, so the link must not change it.
function skipToMain(event: { preventDefault: () => void }) {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
