"""Alembic's entry: runs the migrations on the connection that db/migrate.py hands over, inside its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()
