"""Files of a data directory, spoilt one at a time: is each start right or refused?"""
