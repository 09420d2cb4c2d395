"""What commands do, for web pages to do it too: functions that take and return typed values, and neither print nor end the process."""
