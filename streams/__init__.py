"""All that touches the world.

SDKs, tills --HTTP--> collector --> clickstream, cart, pos, feedback --> engine --> triggers --> services
                                                                         |   ^         |
                                                                       state +---------+ (read back)
"""
