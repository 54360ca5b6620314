"""How the tables came to be, one step a revision, as Alembic runs them; part of the wheel."""
