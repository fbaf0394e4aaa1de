"""The Azure guest environment: what makes a guest believe that it runs on Azure (windows.md §6)."""
