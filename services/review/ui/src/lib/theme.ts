import { useEffect, useState } from 'react';

export type Theme = 'light' | 'dark';

const KEY = 'consilium.theme';
const DARK = '(prefers-color-scheme: dark)';

function chosen(): Theme | null {
  const value = localStorage.getItem(KEY);
  return value === 'light' || value === 'dark' ? value : null;
}

function system(): Theme {
  return window.matchMedia(DARK).matches ? 'dark' : 'light';
}

/** The theme: the one chosen here, else the system's. Sets `data-theme` on the document. */
export function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState<Theme>(() => chosen() ?? system());

  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);

  useEffect(() => {
    const query = window.matchMedia(DARK);
    const follow = () => setTheme(chosen() ?? system());
    query.addEventListener('change', follow);
    return () => query.removeEventListener('change', follow);
  }, []);

  function toggle() {
    const next = theme === 'dark' ? 'light' : 'dark';
    localStorage.setItem(KEY, next);
    setTheme(next);
  }
  return [theme, toggle];
}

/** The document's theme for what paints on a canvas: changes when it changes. */
export function useDocumentTheme(): string {
  const [theme, setTheme] = useState(() => document.documentElement.dataset.theme ?? 'light');
  useEffect(() => {
    const read = () => setTheme(document.documentElement.dataset.theme ?? 'light');
    const observer = new MutationObserver(read);
    observer.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    read();
    return () => observer.disconnect();
  }, []);
  return theme;
}
