"""What people read: figures, tables and the page that holds them."""
